//! A consumer behind an object: what the connection loop drives without knowing its type.

use std::sync::Arc;

use super::{Consumer, Context, Handler, HandlerFuture, ReplyTarget};
use crate::error::{CloseReason, Result};
use crate::id::UserId;
use crate::manager::ConnectionManager;
use crate::message::RawData;
use crate::registry::Connection;

/// A consumer that was built from its request and has no connection yet.
pub(crate) trait PendingSession: Send {
    /// The user that the `#[user]` field names.
    fn user(&self) -> Option<&UserId>;

    /// Gives it its connection.
    fn attach(self: Box<Self>, manager: ConnectionManager, connection: Arc<Connection>) -> Box<dyn Session>;
}

/// A consumer with its connection.
pub(crate) trait Session: Send {
    /// The handler for a message type, with its number.
    fn find(&self, message_type: &str) -> Option<(usize, &'static Handler)>;

    /// All handlers.
    fn handlers(&self) -> &'static [Handler];

    /// Decodes the data and starts the handler.
    fn dispatch(&mut self, handler: usize, request: ReplyTarget, data: RawData<'_>) -> Result<HandlerFuture<'_>>;

    fn connect(&mut self) -> Option<HandlerFuture<'_>>;

    fn disconnect(&mut self, reason: CloseReason) -> Option<HandlerFuture<'_>>;
}

pub(super) struct PendingConsumer<C>(pub(super) C);

struct ConnectedConsumer<C> {
    consumer: C,
    cx: Context<C>,
}

impl<C: Consumer> PendingSession for PendingConsumer<C> {
    fn user(&self) -> Option<&UserId> {
        self.0.user()
    }

    fn attach(self: Box<Self>, manager: ConnectionManager, connection: Arc<Connection>) -> Box<dyn Session> {
        Box::new(ConnectedConsumer { consumer: self.0, cx: Context::new(manager, connection) })
    }
}

impl<C: Consumer> Session for ConnectedConsumer<C> {
    fn find(&self, message_type: &str) -> Option<(usize, &'static Handler)> {
        let number = C::find(message_type)?;
        C::HANDLERS.get(number).map(|handler| (number, handler))
    }

    fn handlers(&self) -> &'static [Handler] {
        C::HANDLERS
    }

    fn dispatch(&mut self, handler: usize, request: ReplyTarget, data: RawData<'_>) -> Result<HandlerFuture<'_>> {
        self.cx.set_reply_target(request);
        self.consumer.dispatch(&self.cx, handler, data)
    }

    fn connect(&mut self) -> Option<HandlerFuture<'_>> {
        self.consumer.connect(&self.cx)
    }

    fn disconnect(&mut self, reason: CloseReason) -> Option<HandlerFuture<'_>> {
        self.cx.set_reply_target(ReplyTarget::NONE);
        self.consumer.disconnect(&self.cx, reason)
    }
}
