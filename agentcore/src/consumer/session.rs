//! The contract between the connection loop and a consumer of any type.

use std::sync::Arc;

use super::handler::{Handler, HandlerFuture};
use super::reply::ReplyTarget;
use crate::error::{CloseReason, Result};
use crate::id::UserId;
use crate::manager::ConnectionManager;
use crate::message::RawData;
use crate::registry::Connection;

/// A consumer that is built from the upgrade request and has no connection yet.
pub(crate) trait PendingSession: Send {
    /// Returns the value of the `#[user]` field.
    fn user(&self) -> Option<&UserId>;

    /// Attaches the consumer to its connection.
    fn attach(self: Box<Self>, manager: ConnectionManager, connection: Arc<Connection>) -> Box<dyn Session>;
}

/// A consumer with its connection.
pub(crate) trait Session: Send {
    /// Returns the handler for a message type, with its index in [`handlers`](Self::handlers).
    fn find(&self, message_type: &str) -> Option<(usize, &'static Handler)>;

    /// Returns all message handlers, in source order.
    fn handlers(&self) -> &'static [Handler];

    /// Decodes the data and starts the handler at `index`.
    fn dispatch(&mut self, index: usize, target: ReplyTarget, data: RawData<'_>) -> Result<HandlerFuture<'_>>;

    /// Starts the `#[on(connect)]` hook.
    fn connect(&mut self) -> Option<HandlerFuture<'_>>;

    /// Starts the `#[on(disconnect)]` hook.
    fn disconnect(&mut self, reason: CloseReason) -> Option<HandlerFuture<'_>>;
}
