//! Rate limits: requests, decisions, and the algorithms, without a clock or a network.

mod limiter;
mod sharded;
#[cfg(test)]
mod tests;

pub use limiter::RateLimiter;
pub(crate) use sharded::ShardedLimiter;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Async;
use crate::error::Result;
use crate::id::{ConnectionId, UserId};

/// Messages that are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// One connection; counted on its own node, without the backend.
    Connection(ConnectionId),
    /// All connections of a user.
    User(UserId),
    /// All connections from one address.
    Ip(IpAddr),
    /// A key that the application chooses.
    Key(Arc<str>),
}

/// One window of a rate limit: at most `messages` in any `window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Identifies the limit within the application; equal on all nodes with the same middleware chain.
    pub limit: u16,
    /// The messages that are counted.
    pub class: MessageClass,
    /// Number of messages; each counts as its cost.
    pub messages: u32,
    /// Length of the window.
    pub window: Duration,
    /// The algorithm that counts.
    pub algorithm: RateAlgorithm,
}

/// The class of messages that a quota counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageClass {
    /// Messages without a limit of their own.
    Ordinary,
    /// Exempt messages, which have a higher limit.
    Exempt,
    /// Messages of one type that has a limit of its own.
    Type(&'static str),
}

/// The algorithm that counts messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RateAlgorithm {
    /// Sliding window log, exact: no window of that length contains more messages, wherever it begins. Above 4,096
    /// messages, timestamps are rounded up to 1/4,096 of the window to bound memory; the limit still holds.
    #[default]
    Sliding,
    /// Generic cell rate algorithm: allows a burst of all messages, then one message per `window / messages`. It stores
    /// one timestamp and may let up to twice the number of messages pass in one window.
    Gcra,
}

/// Asks whether a message may pass.
#[derive(Debug, Clone, Copy)]
pub struct RateRequest<'a> {
    /// The subject that sends the message.
    pub subject: &'a Subject,
    /// The quotas that must all allow the message.
    pub quotas: &'a [Quota],
    /// Number of messages that it counts as.
    pub cost: u32,
}

/// The decision on a [`RateRequest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateDecision {
    /// The message passes and is counted.
    Passed,
    /// The message is refused and not counted.
    Refused {
        /// Time after which it passes if nothing else passes before; `None` if it costs more than a quota allows.
        retry_after: Option<Duration>,
    },
}

/// The state of a [`RateRequest`] at a backend.
pub enum RateCheck {
    /// The request is decided. On an error the backend could not decide.
    Done(Result<RateDecision>),
    /// The decision is made elsewhere; the future resolves with it.
    Wait(Async<'static, Result<RateDecision>>),
}

impl fmt::Debug for RateCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(result) => f.debug_tuple("Done").field(result).finish(),
            Self::Wait(_) => f.write_str("Wait"),
        }
    }
}

/// Number of entries in the log of a sliding window, at most; bounds its memory.
const MAX_LOG_ENTRIES: u64 = 4_096;

/// Returns the granularity to which sliding-window timestamps are rounded up, in the unit of `window`.
pub(crate) fn window_granularity(messages: u32, window: u64) -> u64 {
    if u64::from(messages) > MAX_LOG_ENTRIES { (window / MAX_LOG_ENTRIES).max(1) } else { 1 }
}
