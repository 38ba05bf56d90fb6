//! How many messages somebody may send: what is asked, what is answered, and the rules without a clock or a network.

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

/// Whose messages are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// One connection; it is counted on its own node, and no backend is asked.
    Connection(ConnectionId),
    /// All connections of a user.
    User(UserId),
    /// All connections from an address.
    Ip(IpAddr),
    /// Whatever the application says belongs together.
    Key(Arc<str>),
}

/// One window of one limit: never more than so many messages in so much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Tells the limits of an application apart: the same on all nodes with the same chain.
    pub limit: u16,
    /// Which of its messages are counted.
    pub class: MessageClass,
    /// How many messages, counted by their cost.
    pub messages: u32,
    /// In what time.
    pub window: Duration,
    /// By which rule.
    pub algorithm: RateAlgorithm,
}

/// Which messages a quota counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageClass {
    /// Those that have no limit of their own.
    Ordinary,
    /// Those that are exempt; there is a ceiling for them too.
    Exempt,
    /// Those of one message type, which has a limit of its own.
    Type(&'static str),
}

/// How messages are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RateAlgorithm {
    /// Exactly: no window of that length, wherever it begins, has more messages. Above 4,096 messages the time of one is
    /// rounded up to a 4,096th of the window, so that the memory stays bounded; there are never more.
    #[default]
    Sliding,
    /// The generic cell rate algorithm: a burst of all messages at once, then one for each `window / messages`. It
    /// remembers one moment, and lets through up to twice as many in an unlucky window.
    Gcra,
}

/// A question: may a message pass?
#[derive(Debug, Clone, Copy)]
pub struct RateRequest<'a> {
    /// Whose message it is.
    pub subject: &'a Subject,
    /// What it takes from: all of them or none.
    pub quotas: &'a [Quota],
    /// How many messages it counts as.
    pub cost: u32,
}

/// The answer to a [`RateRequest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateDecision {
    /// It may pass, and is counted.
    Passed,
    /// It may not, and is not counted.
    Refused {
        /// When it may, if nothing else passes until then; `None`: never, it costs more than a quota has.
        retry_after: Option<Duration>,
    },
}

/// What a backend answers to a [`RateRequest`].
pub enum RateCheck {
    /// It has decided. An error: it could not.
    Done(Result<RateDecision>),
    /// It decides elsewhere; the future ends with the answer.
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

/// More entries than this a log never has.
const MAX_ENTRIES: u64 = 4_096;

/// To multiples of what times in the log of a sliding window are rounded up, in the unit of the window.
pub(crate) fn window_granularity(messages: u32, window: u64) -> u64 {
    if u64::from(messages) > MAX_ENTRIES { (window / MAX_ENTRIES).max(1) } else { 1 }
}
