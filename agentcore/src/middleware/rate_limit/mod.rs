//! Never more than so many messages in so much time.

mod by;
mod decide;

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use by::By;
use decide::{Cost, Local, Quotas};

use super::{HandlerRateLimit, Incoming, Middleware, Next, Reply, Start};
use crate::backend::{MessageClass, Quota, RateAlgorithm, RateDecision};
use crate::error::{Error, Result};

/// Refuses messages of those who send too many: `RATE_LIMIT_EXCEEDED`, with the time after which the message may pass in
/// `retry_after_ms`. The connection stays open.
///
/// The window slides: no stretch of that length has more messages, wherever it begins. What was refused does not count.
/// Per user and per address the count is kept by the backend, over all connections and all nodes, so connecting again
/// changes nothing; while the backend does not answer, each node counts for itself.
///
/// ```
/// use std::time::Duration;
///
/// use agentcore::middleware::{Chain, RateLimit};
///
/// const HOUR: Duration = Duration::from_secs(3600);
///
/// let chain = Chain::new()
///     >> RateLimit::per_ip(500, Duration::from_secs(10))
///     >> RateLimit::per_user(30, Duration::from_secs(60))
///         .and(1000, HOUR)
///         .cost(|message| 1 + u32::try_from(message.size() / 1024).unwrap_or(u32::MAX));
/// # let _ = chain;
/// ```
///
/// # Message types that differ
/// A handler says so: `#[on("typing", rate_limit = exempt)]` is not counted among the others but has a ceiling of its own,
/// ten times the limit unless [`ceiling`](Self::ceiling) says otherwise; `#[on("search", rate_limit = "10/s")]` is counted
/// by itself, per user or whatever the limit is kept per; `#[on("export", rate_limit = cost(5))]` counts as five messages.
/// A type that no handler knows is an ordinary one, and `ping` is never limited here.
///
/// # Errors at start
/// No messages, no time, a window given twice, or a message that costs more than the limit ever lets through.
#[must_use = "a limit does nothing outside a chain"]
pub struct RateLimit {
    by: By,
    windows: Vec<(u32, Duration)>,
    rule: RateAlgorithm,
    ceiling: u32,
    cost: Option<Cost>,
    quotas: OnceLock<Quotas>,
    local: Local,
}

/// How often the limit the exempt messages have in the same time, unless it is set.
const CEILING: u32 = 10;

impl RateLimit {
    /// At most `messages` of one connection in any `window`.
    pub fn per_connection(messages: u32, window: Duration) -> Self {
        Self::new(By::Connection, messages, window)
    }

    /// At most `messages` of one user in any `window`, over all connections and nodes.
    pub fn per_user(messages: u32, window: Duration) -> Self {
        Self::new(By::User, messages, window)
    }

    /// At most `messages` from one address in any `window`, over all connections and nodes: the address of the client,
    /// also behind a proxy of `TRUSTED_PROXIES`. Where the server hands no addresses on, it is kept per user.
    pub fn per_ip(messages: u32, window: Duration) -> Self {
        Self::new(By::Ip, messages, window)
    }

    /// At most `messages` of one key in any `window`, over all connections and nodes. A message without a key passes.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use agentcore::middleware::RateLimit;
    /// let exports = RateLimit::per(5, Duration::from_secs(60), |message| {
    ///     (message.message_type() == "export").then(|| message.user_id().to_string())
    /// });
    /// # let _ = exports;
    /// ```
    pub fn per<F>(messages: u32, window: Duration, key: F) -> Self
    where
        F: Fn(&Incoming<'_>) -> Option<String> + Send + Sync + 'static,
    {
        Self::new(By::Key(Box::new(key)), messages, window)
    }

    fn new(by: By, messages: u32, window: Duration) -> Self {
        Self {
            by,
            windows: vec![(messages, window)],
            rule: RateAlgorithm::default(),
            ceiling: CEILING,
            cost: None,
            quotas: OnceLock::new(),
            local: Local::default(),
        }
    }

    /// And at most `messages` in any of these windows: a message passes all of them, or is counted in none.
    pub fn and(mut self, messages: u32, window: Duration) -> Self {
        self.windows.push((messages, window));
        self
    }

    /// Counts by the generic cell rate algorithm: all messages at once, then one for each `window / messages`. It
    /// remembers one moment instead of the time of each message, and lets through up to twice as many in an unlucky
    /// window.
    pub fn gcra(mut self) -> Self {
        self.rule = RateAlgorithm::Gcra;
        self
    }

    /// How many messages a message counts as, for those whose handler says nothing of it; 0 makes it exempt.
    pub fn cost(mut self, cost: impl Fn(&Incoming<'_>) -> u32 + Send + Sync + 'static) -> Self {
        self.cost = Some(Box::new(cost));
        self
    }

    /// Lets through that many times the limit of exempt messages in the same time; 10 unless it is set.
    pub fn ceiling(mut self, times: u32) -> Self {
        self.ceiling = times;
        self
    }

    fn quotas(&self) -> &Quotas {
        self.quotas.get_or_init(|| self.numbered(0))
    }

    /// The windows as the backend knows them; the number is the same on every node with this chain.
    fn numbered(&self, limit: u16) -> Quotas {
        let quotas = |class, times: u32| {
            let quota = |(messages, window): &(u32, Duration)| {
                let messages = messages.saturating_mul(times);
                Quota { limit, class, messages, window: *window, algorithm: self.rule }
            };
            self.windows.iter().map(quota).collect()
        };
        Quotas {
            limit,
            ordinary: quotas(MessageClass::Ordinary, 1),
            exempt: quotas(MessageClass::Exempt, self.ceiling),
        }
    }

    fn problems(&self, start: &mut Start<'_>) {
        let name = self.by.name();
        for (at, (messages, window)) in self.windows.iter().enumerate() {
            if *messages == 0 {
                start.problem(format!("{name} lets no message through: it must be at least 1 in {window:?}"));
            }
            if window.is_zero() {
                start.problem(format!("{name} has a window without length: {messages} messages in what time?"));
            }
            if self.windows.iter().take(at).any(|(_, other)| other == window) {
                start.problem(format!("{name} has two limits for the same window of {window:?}"));
            }
        }
        if self.ceiling == 0 {
            start.problem(format!(
                "{name} has `.ceiling(0)`, so exempt messages never pass; it is how often the limit they have"
            ));
        }
        if let By::Key(_) = self.by {
            // Whether it concerns a type at all, only a message shows.
            return;
        }
        let least = self.windows.iter().map(|(messages, _)| *messages).min().unwrap_or(0);
        for (consumer, handler) in start.handlers() {
            if let HandlerRateLimit::Cost(cost) = handler.rate_limit
                && cost > least
            {
                let (message_type, method) = (handler.message_type, handler.method);
                start.problem(format!(
                    "`{message_type}` costs {cost} (handler `{method}` of `{consumer}`), and {name} never lets through \
                     more than {least}"
                ));
            }
        }
    }
}

impl Middleware for RateLimit {
    async fn handle<N: Next>(&self, message: Incoming<'_>, next: N) -> Result<Reply> {
        match self.decide(&message).await {
            RateDecision::Passed => next.run(message).await,
            RateDecision::Refused { retry_after: Some(after) } => Err(Error::rate_limit(after)),
            RateDecision::Refused { retry_after: None } => Err(Error::rate_limit(Duration::ZERO)
                .with_message("this message counts for more than is ever let through")
                .with_retryable(false)),
        }
    }

    fn check(&self, start: &mut Start<'_>) {
        let number = start.next_limit();
        // Set once: a limit that serves two applications keeps its number.
        self.quotas.get_or_init(|| self.numbered(number));
        self.problems(start);
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit")
            .field("by", &self.by.name())
            .field("windows", &self.windows)
            .field("rule", &self.rule)
            .field("ceiling", &self.ceiling)
            .finish_non_exhaustive()
    }
}
