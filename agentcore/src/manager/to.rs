//! Recipients of a message: `manager.group("lobby").send(&message)`.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::time::Duration;

use serde::Serialize;

use super::confirm::Confirmed;
use super::inner::ConnectionManager;
use super::sending::Sending;
use crate::error::{Error, Result};
use crate::id::{ConnectionId, GroupName, UserId};
use crate::message::{EncodedMessage, Except, Message, OutboundMessage, Overflow, Recipient, external};

/// A message that a consumer may send because its `sends(..)` lists it.
#[diagnostic::on_unimplemented(
    message = "consumer `{C}` does not send `{Self}`",
    label = "not in the `sends(..)` of `{C}`",
    note = "add it: `#[consumer(path = \"..\", sends({Self}))]`"
)]
pub trait SentBy<C>: Message {}

/// The consumer type of sends without a consumer: the manager sends any message.
#[derive(Debug)]
pub enum AnyConsumer {}

impl<M: Message> SentBy<AnyConsumer> for M {}

/// Recipients of a message: a connection, a user, a group or everyone, minus exceptions.
///
/// Sending to an empty group or to a user who is offline succeeds.
#[must_use = "nothing is sent until `.send(..)` is called and awaited"]
pub struct To<'a, C> {
    manager: &'a ConnectionManager,
    to: Result<Recipient>,
    except: Except,
    /// The sending connection, for `except_self`.
    this: Option<ConnectionId>,
    consumer: PhantomData<fn() -> C>,
}

impl ConnectionManager {
    /// Addresses one connection, on any node.
    pub fn connection(&self, id: ConnectionId) -> To<'_, AnyConsumer> {
        To::new(self, Ok(Recipient::Connection(id)), None)
    }

    /// Addresses all connections of a user.
    pub fn user<U: TryInto<UserId, Error: Into<Error>>>(&self, user: U) -> To<'_, AnyConsumer> {
        To::new(self, user.try_into().map(Recipient::User).map_err(Into::into), None)
    }

    /// Addresses all connections in a group.
    pub fn group<G: TryInto<GroupName, Error: Into<Error>>>(&self, group: G) -> To<'_, AnyConsumer> {
        To::new(self, group.try_into().map(Recipient::Group).map_err(Into::into), None)
    }

    /// Addresses all connections on all nodes.
    pub fn everyone(&self) -> To<'_, AnyConsumer> {
        To::new(self, Ok(Recipient::Everyone), None)
    }
}

impl<'a, C> To<'a, C> {
    pub(crate) fn new(manager: &'a ConnectionManager, to: Result<Recipient>, this: Option<ConnectionId>) -> Self {
        Self { manager, to, except: Except::default(), this, consumer: PhantomData }
    }

    /// Excludes the sending connection. Has no effect on a [`ConnectionManager`]'s own sends, which have no connection.
    pub fn except_self(mut self) -> Self {
        self.except.connection = self.this;
        self
    }

    /// Excludes all connections of `user`. If the user id is invalid, `send` returns the error.
    pub fn except_user<U: TryInto<UserId, Error: Into<Error>>>(mut self, user: U) -> Self {
        match user.try_into() {
            Ok(user) => self.except.users.push(user),
            Err(error) => self.to = self.to.and_then(|_| Err(error.into())),
        }
        self
    }

    /// Sends a message. The call encodes it; the returned future delivers it on this node and publishes it to the
    /// others.
    ///
    /// Messages that one task sends to one recipient one after another arrive in that order. The future waits only
    /// while a queue is full.
    ///
    /// # Errors
    /// Returns an error if a name is invalid or the message cannot be encoded, and `BACKEND_UNAVAILABLE` if it cannot
    /// be published. In each case no connection has received it, so a retry causes no duplicates.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, some, all or none of the recipients may have received the message.
    pub fn send<M: SentBy<C>>(self, message: &M) -> Sending {
        let manager = self.manager.clone();
        Sending::message(manager, self.message(message))
    }

    /// Sends a message and returns how many connections took it into their outbox, across all nodes.
    ///
    /// It waits at most `within` for the other nodes and the workers of this one. A worker that is blocked by a handler
    /// delivers later and is then missing from the count.
    ///
    /// # Errors
    /// Same as [`send`](Self::send).
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, some, all or none of the recipients may have received the message.
    pub fn send_confirmed<M: SentBy<C>>(
        self,
        message: &M,
        within: Duration,
    ) -> impl Future<Output = Result<Confirmed>> + Send + use<C, M> {
        let manager = self.manager.clone();
        let message = self.message(message);
        async move { manager.confirm(message?, within).await }
    }

    fn message<M: SentBy<C>>(self, message: &M) -> Result<OutboundMessage> {
        let to = self.to?;
        Ok(OutboundMessage::new(to, self.except, EncodedMessage::of(message)?))
    }
}

impl To<'_, AnyConsumer> {
    /// Sends a message whose type is known only at run time, for example one from another program. Use
    /// [`send`](Self::send) for the program's own message types, so that the compiler checks them.
    ///
    /// ```
    /// # use agentcore::prelude::*;
    /// # async fn publish(manager: &ConnectionManager, kind: String) -> Result<()> {
    /// manager.group("lobby").send_raw(&kind, &serde_json::json!({ "text": "The bar is open" })).await
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns `VALIDATION_FAILED` for the field `type` if it is not a message type (`[a-z][a-z0-9_.]{0,63}`) or is
    /// reserved for the protocol (`ping`, `pong`, `reply`, `error`, `agentcore.*`). Returns it for `data` if it is not
    /// an object, or if the message is longer than `WS_MAX_MESSAGE_SIZE` bytes. Other errors are those of
    /// [`send`](Self::send).
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, some, all or none of the recipients may have received the message.
    pub fn send_raw<D: Serialize + ?Sized>(self, message_type: &str, data: &D) -> Sending {
        let envelope = external::write(message_type, data, self.manager.settings().ws_max_message_size);
        let message = self
            .to
            .and_then(|to| Ok(OutboundMessage::from_envelope(to, self.except, Overflow::Disconnect, &envelope?)));
        Sending::message(self.manager.clone(), message)
    }
}

impl<C> fmt::Debug for To<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("To").field("to", &self.to).field("except", &self.except).finish_non_exhaustive()
    }
}
