#![doc = include_str!("../docs/middleware.md")]

mod chain;
mod incoming;
mod logging;
mod pipeline;
mod rate_limit;
mod start;
mod validation;

pub use chain::Chain;
pub use incoming::Incoming;
pub use logging::Logging;
pub(crate) use pipeline::{Arrived, Pipeline};
pub use rate_limit::RateLimit;
pub use start::Start;
pub use validation::Validation;

pub use crate::consumer::{Handler, HandlerRateLimit, Reply};
pub use crate::message::RawData;
pub use tracing::Level;

use std::future::Future;
use std::sync::Arc;

use crate::error::Result;

/// Stands between the connections and the handlers: it sees every message but `ping`, and what became of it.
///
/// It passes the message on with [`Next::run`], changed or not, answers it, or refuses it with an error. One value
/// serves all connections of a node, on all its workers at once.
///
/// A panic in it is caught as a handler's is and ends the connection with 1011; the handler's deadline covers the whole
/// chain.
pub trait Middleware: Send + Sync + 'static {
    /// Handles one message; what it returns is the answer to it.
    ///
    /// # Errors
    /// Whatever the client is to be told instead of an answer.
    ///
    /// # Cancel safety
    /// The future is dropped at the deadline of the handler.
    fn handle<N: Next>(&self, message: Incoming<'_>, next: N) -> impl Future<Output = Result<Reply>> + Send;

    /// Checks how it was set up, once, when the application starts. What it reports ends the start.
    fn check(&self, start: &mut Start<'_>) {
        let _ = start;
    }

    /// Whether it passes every message on as it is. A chain of nothing else costs nothing.
    fn passes_all(&self) -> bool {
        false
    }
}

/// The rest of the chain, and the handler at its end.
#[must_use = "a message that is not passed on reaches no handler"]
pub trait Next: Send {
    /// Passes the message on; the output is the answer of the handler, or of a middleware further in.
    ///
    /// # Errors
    /// That of the handler or of a middleware further in: `VALIDATION_FAILED` for a bad payload, `UNKNOWN_MESSAGE_TYPE`
    /// when there is no handler.
    ///
    /// # Cancel safety
    /// Dropping the future stops the handler at an await. Unless the handler is `cancel_safe` its connection is closed
    /// with 1011 then, as at a deadline.
    fn run(self, message: Incoming<'_>) -> impl Future<Output = Result<Reply>> + Send;
}

/// A middleware that is there or not: `None` passes every message on.
impl<M: Middleware> Middleware for Option<M> {
    async fn handle<N: Next>(&self, message: Incoming<'_>, next: N) -> Result<Reply> {
        match self {
            Some(middleware) => middleware.handle(message, next).await,
            None => next.run(message).await,
        }
    }

    fn check(&self, start: &mut Start<'_>) {
        if let Some(middleware) = self {
            middleware.check(start);
        }
    }

    fn passes_all(&self) -> bool {
        self.as_ref().is_none_or(Middleware::passes_all)
    }
}

/// A middleware that the application keeps a hand on, to read its counters or change its mind.
impl<M: Middleware> Middleware for Arc<M> {
    fn handle<N: Next>(&self, message: Incoming<'_>, next: N) -> impl Future<Output = Result<Reply>> + Send {
        (**self).handle(message, next)
    }

    fn check(&self, start: &mut Start<'_>) {
        (**self).check(start);
    }

    fn passes_all(&self) -> bool {
        (**self).passes_all()
    }
}
