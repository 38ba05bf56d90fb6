//! Logs one event for each message.

use std::borrow::Cow;
use std::time::Duration;

use tokio::time::Instant;
use tracing::Level;

use super::{Incoming, Middleware, Next, Reply, Start};
use crate::error::{Error, Result, one_line};
use crate::id::{ConnectionId, UserId};

/// Logs each message as one `tracing` event when it has been handled, with its type, connection, user, `ref`, size,
/// outcome and duration, but never its data. The target is `agentcore::messages`.
///
/// The outcome is `ok`, `refused` (an error of the client, with its code), `failed` (an error of the server, with its
/// code), `dropped` (at the deadline, or with the connection) or `panicked`. Text from clients is escaped, so an event
/// is one line.
///
/// ```
/// use agentcore::middleware::{Chain, Level, Logging};
///
/// let chain = Chain::new() >> Logging::default().level(Level::DEBUG).one_in(100);
/// # let _ = chain;
/// ```
///
/// Put it first in the chain, so that it also sees messages that other middlewares refuse.
#[derive(Debug, Clone)]
#[must_use = "it logs nothing outside a chain"]
pub struct Logging {
    level: Level,
    one_in: u32,
}

impl Default for Logging {
    /// Logs every message at `INFO`.
    fn default() -> Self {
        Self { level: Level::INFO, one_in: 1 }
    }
}

impl Logging {
    /// Sets the level of the events.
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Logs only one in `messages` of the successful messages, spread evenly over all connections. Others are always
    /// logged.
    pub fn one_in(mut self, messages: u32) -> Self {
        self.one_in = messages;
        self
    }

    /// Samples by hashing the numbers of the connection and the message, since a counter would be shared by all
    /// workers.
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
        let mut record = LogRecord {
            level: self.level,
            message_type,
            connection: message.connection_id(),
            user: message.user_id(),
            reference: message.reference(),
            bytes: message.size(),
            started: Instant::now(),
            ended: false,
        };
        let sampled = self.samples(record.connection, message.serial());
        let outcome = next.run(message).await;
        record.end(&outcome, sampled);
        outcome
    }

    fn check(&self, start: &mut Start<'_>) {
        if self.one_in == 0 {
            start.problem("`Logging` has `.one_in(0)`; it must be at least 1, which logs every message");
        }
    }
}

/// The log event of a message that is being handled. Dropping it before its end logs the message too.
struct LogRecord<'a> {
    level: Level,
    message_type: Cow<'static, str>,
    connection: ConnectionId,
    user: &'a UserId,
    reference: Option<u64>,
    bytes: usize,
    started: Instant,
    ended: bool,
}

impl LogRecord<'_> {
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
        let duration = self.started.elapsed();
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
                    duration_us = micros(duration),
                )
            };
        }
        // tracing needs the level of an event as a constant.
        match self.level {
            Level::ERROR => event!(Level::ERROR),
            Level::WARN => event!(Level::WARN),
            Level::INFO => event!(Level::INFO),
            Level::DEBUG => event!(Level::DEBUG),
            Level::TRACE => event!(Level::TRACE),
        }
    }
}

impl Drop for LogRecord<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.log(if std::thread::panicking() { "panicked" } else { "dropped" }, None);
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
