//! One event in the log for each message.

use std::borrow::Cow;
use std::time::Duration;

use tokio::time::Instant;
use tracing::Level;

use super::{Incoming, Middleware, Next, Reply, Start};
use crate::error::{Error, Result, one_line};
use crate::id::{ConnectionId, UserId};

/// Logs each message as one `tracing` event, when it has been handled: its type, connection, user, `ref`, size, outcome
/// and how long it took. Never the data. The target is `agentcore::messages`.
///
/// The outcome is `ok`, `refused` (a mistake of the client, with its code), `failed` (a fault of ours, with its code),
/// `dropped` (at the deadline, or with its connection) or `panicked`. What a client can choose is escaped, so an event
/// is one line.
///
/// ```
/// use agentcore::middleware::{Chain, Level, Logging};
///
/// let chain = Chain::new() >> Logging::default().level(Level::DEBUG).one_in(100);
/// # let _ = chain;
/// ```
///
/// Put it first: then it sees what the others refuse, too.
#[derive(Debug, Clone)]
#[must_use = "it logs nothing outside a chain"]
pub struct Logging {
    level: Level,
    one_in: u32,
}

impl Default for Logging {
    /// Every message, at `INFO`.
    fn default() -> Self {
        Self { level: Level::INFO, one_in: 1 }
    }
}

impl Logging {
    /// The level of the events.
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Logs one in so many of the messages that succeed, evenly over all connections; the others always.
    pub fn one_in(mut self, messages: u32) -> Self {
        self.one_in = messages;
        self
    }

    /// Which messages are in the sample depends on their numbers alone: no counter that all workers would share.
    fn samples(&self, connection: ConnectionId, serial: u64) -> bool {
        let mixed = (connection.serial ^ serial.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> 32).is_multiple_of(self.one_in.max(1).into())
    }
}

impl Middleware for Logging {
    async fn handle<N: Next>(&self, message: Incoming<'_>, next: N) -> Result<Reply> {
        let message_type = match message.handler() {
            Some(handler) => Cow::Borrowed(handler.message_type),
            None => Cow::Owned(one_line(message.message_type()).into_owned()),
        };
        let mut passage = Passage {
            level: self.level,
            message_type,
            connection: message.connection_id(),
            user: message.user_id(),
            reference: message.reference(),
            bytes: message.size(),
            started: Instant::now(),
            ended: false,
        };
        let sampled = self.samples(passage.connection, message.serial());
        let outcome = next.run(message).await;
        passage.end(&outcome, sampled);
        outcome
    }

    fn check(&self, start: &mut Start<'_>) {
        if self.one_in == 0 {
            start.problem("`Logging` has `.one_in(0)`: one in how many messages? 1 is every message");
        }
    }
}

/// A message while it is handled; it is logged when it is dropped, too.
struct Passage<'a> {
    level: Level,
    message_type: Cow<'static, str>,
    connection: ConnectionId,
    user: &'a UserId,
    reference: Option<u64>,
    bytes: usize,
    started: Instant,
    ended: bool,
}

impl Passage<'_> {
    fn end(&mut self, outcome: &Result<Reply>, sampled: bool) {
        self.ended = true;
        match outcome {
            Ok(_) if sampled => self.log("ok", None),
            Ok(_) => {}
            Err(error) if error.category().is_of_client() => self.log("refused", Some(error)),
            Err(error) => self.log("failed", Some(error)),
        }
    }

    fn log(&self, outcome: &'static str, error: Option<&Error>) {
        let took = self.started.elapsed();
        macro_rules! event {
            ($level:expr) => {
                tracing::event!(
                    target: "agentcore::messages",
                    $level,
                    message_type = &*self.message_type,
                    connection = %self.connection,
                    user = %one_line(self.user.as_str()),
                    reference = self.reference,
                    bytes = self.bytes,
                    outcome,
                    code = error.map(Error::code),
                    error_id = error.map(|error| tracing::field::display(error.id())),
                    duration_us = micros(took),
                )
            };
        }
        // The level of an event is a constant.
        match self.level {
            Level::ERROR => event!(Level::ERROR),
            Level::WARN => event!(Level::WARN),
            Level::INFO => event!(Level::INFO),
            Level::DEBUG => event!(Level::DEBUG),
            Level::TRACE => event!(Level::TRACE),
        }
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.log(if std::thread::panicking() { "panicked" } else { "dropped" }, None);
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
