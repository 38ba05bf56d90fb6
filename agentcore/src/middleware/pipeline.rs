//! A middleware chain as a trait object, and the handler at its end.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Handler, Incoming, Middleware, Next, Reply};
use crate::consumer::{HandlerFuture, ReplyTarget, Session};
use crate::error::{CloseCode, Error, Result};
use crate::manager::ConnectionManager;
use crate::message::OwnedData;
use crate::registry::Connection;

/// A message as the chain receives it. It owns its data, since the read buffer is reused meanwhile.
pub(crate) struct PipelineInput<'a> {
    pub(crate) manager: &'a ConnectionManager,
    pub(crate) connection: &'a Arc<Connection>,
    pub(crate) message_type: Cow<'static, str>,
    pub(crate) data: OwnedData,
    pub(crate) request: ReplyTarget,
    pub(crate) bytes: usize,
    pub(crate) handler: Option<(usize, &'static Handler)>,
}

/// A middleware chain as a trait object, since consumers that are collected at link time cannot be generic over it.
pub(crate) trait Pipeline: Send + Sync + 'static {
    /// Runs the chain, which ends with the handler.
    fn start<'s>(&'s self, session: &'s mut dyn Session, input: PipelineInput<'s>) -> HandlerFuture<'s>;
}

impl<M: Middleware> Pipeline for M {
    fn start<'s>(&'s self, session: &'s mut dyn Session, input: PipelineInput<'s>) -> HandlerFuture<'s> {
        Box::pin(async move {
            let PipelineInput { manager, connection, message_type, data, request, bytes, handler } = input;
            let handlers = session.handlers();
            let (message_type, running) = (&*message_type, AtomicBool::new(false));
            let message = Incoming { manager, connection, message_type, data, request, bytes, handler, handlers };
            let outcome = self.handle(message, Endpoint { session, running: &running }).await;
            match handler {
                Some((_, handler)) if running.load(Ordering::Relaxed) && !handler.cancel_safe => {
                    let method = handler.method;
                    Err(Error::internal(format!("a middleware dropped the handler `{method}` while it ran"))
                        .with_close(CloseCode::Error))
                }
                _ => outcome,
            }
        })
    }
}

/// The end of every chain, which decodes the data and runs the handler.
struct Endpoint<'s> {
    session: &'s mut dyn Session,
    /// Whether the handler runs. Dropping it then may leave the consumer in an inconsistent state.
    running: &'s AtomicBool,
}

impl Next for Endpoint<'_> {
    async fn run(self, message: Incoming<'_>) -> Result<Reply> {
        let Some((index, _)) = message.handler else {
            return Err(Error::unknown_message_type(message.message_type));
        };
        let future = self.session.dispatch(index, message.request, message.data.raw())?;
        drop(message);
        self.running.store(true, Ordering::Relaxed);
        let output = future.await;
        self.running.store(false, Ordering::Relaxed);
        output
    }
}
