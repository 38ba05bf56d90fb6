//! Limits the rate of messages.

mod quotas;
mod scope;

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use quotas::{CostFn, LocalRateLimiter, Quotas};
use scope::RateLimitScope;

use super::{HandlerRateLimit, Incoming, Middleware, Next, Reply, Start};
use crate::backend::{MessageClass, Quota, RateAlgorithm, RateCheck, RateDecision, RateRequest, Subject};
use crate::error::{Error, Result};

/// Refuses messages above a rate with `RATE_LIMIT_EXCEEDED`; `retry_after_ms` is the time after which the message would
/// pass. The connection stays open.
///
/// The window slides: no interval of its length has more messages than the limit. Refused messages do not count. The
/// backend keeps the counts per user, per address and per key over all connections and nodes, so a reconnect does not
/// reset them. While the backend is unavailable, each node counts by itself.
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
/// # Message types with other limits
/// The attribute of a handler changes the limit of its message type:
/// - `#[on("typing", rate_limit = exempt)]` is not counted with the others. Its own limit is ten times as high, unless
///   [`ceiling`](Self::ceiling) sets another factor.
/// - `#[on("search", rate_limit = "10/s")]` has its own limit, counted in the same scope, such as per user.
/// - `#[on("export", rate_limit = cost(5))]` counts as five messages.
///
/// A message type without a handler counts as an ordinary message. `ping` is never limited here.
///
/// # Errors at start
/// The limit is 0 messages, a window is empty or given twice, or a message costs more than the limit.
#[must_use = "a limit does nothing outside a chain"]
pub struct RateLimit {
    scope: RateLimitScope,
    windows: Vec<(u32, Duration)>,
    algorithm: RateAlgorithm,
    ceiling: u32,
    cost: Option<CostFn>,
    quotas: OnceLock<Quotas>,
    local: LocalRateLimiter,
}

/// The default factor by which the limit of exempt messages is higher.
const DEFAULT_CEILING: u32 = 10;

impl RateLimit {
    /// Allows `messages` of one connection in any `window`.
    pub fn per_connection(messages: u32, window: Duration) -> Self {
        Self::new(RateLimitScope::Connection, messages, window)
    }

    /// Allows `messages` of one user in any `window`, over all connections and nodes.
    pub fn per_user(messages: u32, window: Duration) -> Self {
        Self::new(RateLimitScope::User, messages, window)
    }

    /// Allows `messages` from one client address in any `window`, over all connections and nodes. Proxies in
    /// `TRUSTED_PROXIES` are taken into account. A client without a known address is limited per user.
    pub fn per_ip(messages: u32, window: Duration) -> Self {
        Self::new(RateLimitScope::Ip, messages, window)
    }

    /// Allows `messages` of one key in any `window`, over all connections and nodes. A message without a key passes.
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
        Self::new(RateLimitScope::Key(Box::new(key)), messages, window)
    }

    fn new(scope: RateLimitScope, messages: u32, window: Duration) -> Self {
        Self {
            scope,
            windows: vec![(messages, window)],
            algorithm: RateAlgorithm::default(),
            ceiling: DEFAULT_CEILING,
            cost: None,
            quotas: OnceLock::new(),
            local: LocalRateLimiter::default(),
        }
    }

    /// Adds a window with its own limit. A message must pass all windows, and is otherwise counted in none.
    pub fn and(mut self, messages: u32, window: Duration) -> Self {
        self.windows.push((messages, window));
        self
    }

    /// Uses the generic cell rate algorithm: a burst of all messages at once, then one for each `window / messages`.
    ///
    /// It stores one time instead of one for each message. A window may see up to twice the limit.
    pub fn gcra(mut self) -> Self {
        self.algorithm = RateAlgorithm::Gcra;
        self
    }

    /// Sets the number of messages that a message counts as, if its handler has no `rate_limit`; 0 makes it exempt.
    pub fn cost(mut self, cost: impl Fn(&Incoming<'_>) -> u32 + Send + Sync + 'static) -> Self {
        self.cost = Some(Box::new(cost));
        self
    }

    /// Sets the factor by which the limit of exempt messages is higher; the default is 10.
    pub fn ceiling(mut self, times: u32) -> Self {
        self.ceiling = times;
        self
    }

    /// Decides on a message, and counts it if it passes.
    async fn decide(&self, message: &Incoming<'_>) -> RateDecision {
        let Some(subject) = self.scope.subject(message) else { return RateDecision::Passed };
        let all = self.quotas();
        let own;
        let rate = message.handler().map_or(HandlerRateLimit::Shared, |handler| handler.rate_limit);
        let (quotas, cost) = match (rate, message.handler()) {
            (HandlerRateLimit::Exempt, _) => (all.exempt.as_slice(), 1),
            (HandlerRateLimit::Own { messages, window }, Some(handler)) => {
                let class = MessageClass::Type(handler.message_type);
                own = [Quota { limit: all.limit, class, messages, window, algorithm: self.algorithm }];
                (own.as_slice(), 1)
            }
            (HandlerRateLimit::Cost(cost), _) => (all.ordinary.as_slice(), cost),
            (HandlerRateLimit::Shared | HandlerRateLimit::Own { .. }, _) => {
                match self.cost.as_ref().map_or(1, |cost| cost(message)) {
                    0 => (all.exempt.as_slice(), 1),
                    cost => (all.ordinary.as_slice(), cost),
                }
            }
        };
        let request = RateRequest { subject: &subject, quotas, cost };
        if let Subject::Connection(_) = subject {
            return self.local.decide(&request);
        }
        let decision = match message.manager().check_rate(&request) {
            RateCheck::Done(decision) => decision,
            RateCheck::Wait(decision) => decision.await,
        };
        decision.unwrap_or_else(|error| self.local.decide_without_backend(&request, &error))
    }

    fn quotas(&self) -> &Quotas {
        self.quotas.get_or_init(|| self.numbered(0))
    }

    /// Returns the quotas of the limit at index `limit` of its chain.
    fn numbered(&self, limit: u16) -> Quotas {
        let quotas = |class, times: u32| {
            let quota = |(messages, window): &(u32, Duration)| {
                let messages = messages.saturating_mul(times);
                Quota { limit, class, messages, window: *window, algorithm: self.algorithm }
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
        let name = self.scope.constructor();
        for (at, (messages, window)) in self.windows.iter().enumerate() {
            if *messages == 0 {
                start.problem(format!("{name} allows no messages; the limit must be at least 1 in {window:?}"));
            }
            if window.is_zero() {
                start.problem(format!("{name} has an empty window for its {messages} messages"));
            }
            if self.windows.iter().take(at).any(|(_, other)| other == window) {
                start.problem(format!("{name} has two limits for the same window of {window:?}"));
            }
        }
        if self.ceiling == 0 {
            start.problem(format!("{name} has `.ceiling(0)`, so exempt messages never pass"));
        }
        if let RateLimitScope::Key(_) = self.scope {
            // Only a message shows whether the key applies to its type.
            return;
        }
        let lowest = self.windows.iter().map(|(messages, _)| *messages).min().unwrap_or(0);
        for (consumer, handler) in start.handlers() {
            if let HandlerRateLimit::Cost(cost) = handler.rate_limit
                && cost > lowest
            {
                let (message_type, method) = (handler.message_type, handler.method);
                start.problem(format!(
                    "`{message_type}` costs {cost} (handler `{method}` of `{consumer}`), but {name} allows only \
                     {lowest}"
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
                .with_message("this message costs more than the rate limit allows")
                .with_retryable(false)),
        }
    }

    fn check(&self, start: &mut Start<'_>) {
        let number = start.next_limit();
        // The number is set once, so a limit that two applications share keeps it.
        self.quotas.get_or_init(|| self.numbered(number));
        self.problems(start);
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit")
            .field("scope", &self.scope.constructor())
            .field("windows", &self.windows)
            .field("algorithm", &self.algorithm)
            .field("ceiling", &self.ceiling)
            .finish_non_exhaustive()
    }
}
