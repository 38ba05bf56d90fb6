//! Erases the type of a consumer: the server sees a [`Mount`], then a [`PendingSession`], then a [`Session`].

use std::any::TypeId;
use std::sync::Arc;

use super::consumer_traits::{ConsumerHandlers, ConsumerStruct};
use super::context::Context;
use super::handler::{Handler, HandlerFuture};
use super::mount::Mount;
use super::reply::ReplyTarget;
use super::session::{PendingSession, Session};
use crate::error::{CloseReason, Result};
use crate::id::UserId;
use crate::manager::ConnectionManager;
use crate::message::RawData;
use crate::registry::Connection;

impl Mount {
    /// Describes the consumer `C`.
    #[must_use]
    pub fn of<C: ConsumerStruct + ConsumerHandlers>() -> Self {
        Self {
            type_id: TypeId::of::<C>(),
            type_name: std::any::type_name::<C>(),
            name: C::NAME,
            path: C::PATH,
            handlers: C::HANDLERS,
            number: 0,
            required: C::required,
            sends: C::sends,
            construct: |request| Ok(Box::new(PendingConsumer(C::construct(request)?))),
        }
    }
}

struct PendingConsumer<C>(C);

impl<C: ConsumerStruct + ConsumerHandlers> PendingSession for PendingConsumer<C> {
    fn user(&self) -> Option<&UserId> {
        self.0.user()
    }

    fn attach(self: Box<Self>, manager: ConnectionManager, connection: Arc<Connection>) -> Box<dyn Session> {
        Box::new(ConnectedConsumer { consumer: self.0, cx: Context::new(manager, connection) })
    }
}

struct ConnectedConsumer<C> {
    consumer: C,
    cx: Context<C>,
}

impl<C: ConsumerHandlers> Session for ConnectedConsumer<C> {
    fn find(&self, message_type: &str) -> Option<(usize, &'static Handler)> {
        let index = C::find(message_type)?;
        C::HANDLERS.get(index).map(|handler| (index, handler))
    }

    fn handlers(&self) -> &'static [Handler] {
        C::HANDLERS
    }

    fn dispatch(&mut self, index: usize, target: ReplyTarget, data: RawData<'_>) -> Result<HandlerFuture<'_>> {
        self.cx.set_reply_target(target);
        self.consumer.dispatch(&self.cx, index, data)
    }

    fn connect(&mut self) -> Option<HandlerFuture<'_>> {
        self.consumer.connect(&self.cx)
    }

    fn disconnect(&mut self, reason: CloseReason) -> Option<HandlerFuture<'_>> {
        self.cx.set_reply_target(ReplyTarget::NONE);
        self.consumer.disconnect(&self.cx, reason)
    }
}
