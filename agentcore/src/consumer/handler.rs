//! The description of a handler, as `#[on(..)]` declares it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::reply::Reply;
use crate::error::Result;
use crate::message::Description;

/// A running handler; its output is the encoded reply.
pub type HandlerFuture<'a> = Pin<Box<dyn Future<Output = Result<Reply>> + Send + 'a>>;

/// A message handler: the method and the arguments of its `#[on(..)]`.
#[derive(Debug, Clone, Copy)]
pub struct Handler {
    /// The message type it handles.
    pub message_type: &'static str,
    /// The name of the method.
    pub method: &'static str,
    /// How the rate limiter counts its messages.
    pub rate_limit: HandlerRateLimit,
    /// The time it may take; `None` means `WS_HANDLER_TIMEOUT`.
    pub timeout: Option<Duration>,
    /// Whether it may be dropped at any `await` without leaving the consumer in a broken state.
    pub cancel_safe: bool,
    /// The payload it takes, if any.
    pub receives: Option<Description>,
    /// The message it returns, if any.
    pub returns: Option<Description>,
}

impl Handler {
    /// Whether `rate_limit` sets a cost or a limit, which has no effect without a rate limiter in the middleware.
    pub(crate) fn is_limited(&self) -> bool {
        matches!(self.rate_limit, HandlerRateLimit::Own { .. } | HandlerRateLimit::Cost(_))
    }
}

/// How the rate limiter counts the messages of one handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandlerRateLimit {
    /// Each message counts once against the limit that all handlers share: the default.
    Shared,
    /// No message counts against the shared limit (`rate_limit = exempt`). One ceiling covers all exempt handlers.
    Exempt,
    /// Each message counts as this number of messages against the shared limit (`rate_limit = cost(5)`).
    Cost(u32),
    /// The handler has a limit of its own (`rate_limit = "10/s"`).
    Own {
        /// The number of messages allowed per window.
        messages: u32,
        /// The length of the window.
        window: Duration,
    },
}
