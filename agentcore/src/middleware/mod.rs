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
pub(crate) use pipeline::{Pipeline, PipelineInput};
pub use rate_limit::RateLimit;
pub use start::Start;
pub use validation::Validation;

pub use crate::consumer::{Handler, HandlerRateLimit, Reply};
pub use crate::message::RawData;
pub use tracing::Level;

use std::future::Future;
use std::sync::Arc;

use crate::error::Result;

/// A layer between the connections and the handlers. It sees every message except `ping`, and its result.
///
/// It passes a message on with [`Next::run`], changed or not, answers it, or refuses it with an error. One value serves
/// all connections of a node, on all workers concurrently.
///
/// A panic is caught as in a handler, and closes the connection with 1011. The deadline of the handler covers the whole
/// chain.
pub trait Middleware: Send + Sync + 'static {
    /// Handles one message, and returns its reply.
    ///
    /// # Errors
    /// The error that the client gets instead of a reply.
    ///
    /// # Cancel safety
    /// The future is dropped at the deadline of the handler.
    fn handle<N: Next>(&self, message: Incoming<'_>, next: N) -> impl Future<Output = Result<Reply>> + Send;

    /// Checks the configuration of the middleware once, when the application starts. A reported problem prevents the
    /// start.
    fn check(&self, start: &mut Start<'_>) {
        let _ = start;
    }

    /// Returns whether it passes every message on unchanged. A chain of only such middlewares is skipped.
    fn passes_all(&self) -> bool {
        false
    }
}

/// The rest of the chain, and the handler at its end.
#[must_use = "a message that is not passed on reaches no handler"]
pub trait Next: Send {
    /// Passes the message on, and returns the reply of the handler or of an inner middleware.
    ///
    /// # Errors
    /// Those of the handler and of inner middlewares; `VALIDATION_FAILED` for an invalid payload, and
    /// `UNKNOWN_MESSAGE_TYPE` without a handler.
    ///
    /// # Cancel safety
    /// Dropping the future stops the handler at an await. Unless the handler is `cancel_safe`, its connection is then
    /// closed with 1011, as at a deadline.
    fn run(self, message: Incoming<'_>) -> impl Future<Output = Result<Reply>> + Send;
}

/// An optional middleware: `None` passes every message on.
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

/// A shared middleware, for an application that keeps access to it, for example to read its counters.
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
