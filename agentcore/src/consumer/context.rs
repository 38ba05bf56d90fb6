//! The context of a handler: its connection, and the recipients it can send to.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::sync::Arc;

use super::reply::ReplyTarget;
use crate::auth::Identity;
use crate::error::{CloseCode, CloseReason, Error, Result};
use crate::id::{ConnectionId, GroupName, UserId};
use crate::manager::{ConnectionManager, PresenceMessages, Sending, SentBy, To};
use crate::message::{EncodedMessage, Overflow, Recipient, unencodable};
use crate::registry::{Closing, Connection, Metadata};

/// The connection that a handler of consumer `C` serves, and the methods to send, join and leave.
///
/// Clones are cheap and may outlive the handler. The compiler checks every sent message against the `sends(..)` of `C`.
pub struct Context<C> {
    manager: ConnectionManager,
    connection: Arc<Connection>,
    reply_target: ReplyTarget,
    consumer: PhantomData<fn() -> C>,
}

impl<C> Clone for Context<C> {
    fn clone(&self) -> Self {
        Self {
            manager: self.manager.clone(),
            connection: self.connection.clone(),
            reply_target: self.reply_target,
            consumer: PhantomData,
        }
    }
}

impl<C> fmt::Debug for Context<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("id", &self.id()).field("user_id", self.user_id()).finish_non_exhaustive()
    }
}

impl<C> Context<C> {
    pub(crate) fn new(manager: ConnectionManager, connection: Arc<Connection>) -> Self {
        Self { manager, connection, reply_target: ReplyTarget::NONE, consumer: PhantomData }
    }

    pub(crate) fn set_reply_target(&mut self, target: ReplyTarget) {
        self.reply_target = target;
    }

    /// Returns the request that is being answered, for generated code.
    #[doc(hidden)]
    #[must_use]
    pub fn reply_target(&self) -> &ReplyTarget {
        &self.reply_target
    }

    /// Returns the id of this connection.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.connection.id()
    }

    /// Returns the user of this connection.
    #[must_use]
    pub fn user_id(&self) -> &UserId {
        self.connection.user_id()
    }

    /// Returns the identity of the client, as the [`Authenticator`](crate::Authenticator) established it. A token
    /// renewal replaces it.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.connection.identity()
    }

    /// Returns the address of the client; see [`Connection::ip`](crate::manager::Connection::ip).
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.connection.ip()
    }

    /// Returns the metadata that the application has set on this connection, such as the kind of device.
    #[must_use]
    pub fn metadata(&self) -> Metadata {
        self.connection.metadata()
    }

    /// Sets a metadata value of this connection. [`ConnectionInfo`](crate::manager::ConnectionInfo) shows it, and it is
    /// dropped with the connection.
    ///
    /// # Errors
    /// `INTERNAL_ERROR` when the value cannot be serialized.
    pub fn set_metadata<T: serde::Serialize>(&self, name: &str, value: &T) -> Result<()> {
        self.connection.set_metadata(name, value)
    }

    /// Returns the manager, for queries and for messages that `sends(..)` does not list.
    #[must_use]
    pub fn manager(&self) -> &ConnectionManager {
        &self.manager
    }

    /// Sends a message to this connection.
    ///
    /// # Errors
    /// `INTERNAL_ERROR` when the message cannot be encoded.
    pub fn send<M: SentBy<C>>(&self, message: &M) -> Sending {
        let frame =
            self.connection.codec().encode(M::TYPE, None, Some(message)).map_err(|error| unencodable(M::TYPE, error));
        Sending::direct(&self.connection, frame, message.overflow())
    }

    /// Answers the request at once, for a handler whose answer must precede other messages or has one of several types;
    /// the handler then returns `()`. A request with a `ref` gets a reply; a request without one gets the message under
    /// its own type.
    ///
    /// # Errors
    /// `INTERNAL_ERROR` when the request has already been answered or its handler has ended.
    pub fn reply<M: SentBy<C>>(&self, message: &M) -> Sending {
        let answer = if self.reply_target.serial != 0 && self.connection.answer_once(self.reply_target.serial) {
            self.reply_target.answer(message)
        } else {
            Err(Error::internal("a request is answered once, and only while its handler runs"))
        };
        Sending::direct(&self.connection, answer, Overflow::Disconnect)
    }

    /// Addresses another connection, on any node.
    pub fn connection(&self, id: ConnectionId) -> To<'_, C> {
        self.to(Ok(Recipient::Connection(id)))
    }

    /// Addresses all connections of a user.
    pub fn user<U: TryInto<UserId, Error: Into<Error>>>(&self, user: U) -> To<'_, C> {
        self.to(user.try_into().map(Recipient::User).map_err(Into::into))
    }

    /// Addresses all connections in a group, including this one if it is a member.
    pub fn group<G: TryInto<GroupName, Error: Into<Error>>>(&self, group: G) -> To<'_, C> {
        self.to(group.try_into().map(Recipient::Group).map_err(Into::into))
    }

    /// Addresses all connections on all nodes.
    pub fn everyone(&self) -> To<'_, C> {
        self.to(Ok(Recipient::Everyone))
    }

    fn to(&self, recipient: Result<Recipient>) -> To<'_, C> {
        To::new(&self.manager, recipient, Some(self.id()))
    }

    /// Joins a group; returns false when this connection is already a member. A message that any node sends to the
    /// group after this has returned reaches this connection, or an `agentcore.resync` reports the possible loss.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` when the name is invalid, and `LIMIT_EXCEEDED` at `WS_MAX_GROUPS_PER_CONNECTION`.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, the connection may or may not be a member; leaving the group is
    /// correct in both cases.
    pub async fn join<G: TryInto<GroupName, Error: Into<Error>>>(&self, group: G) -> Result<bool> {
        let group = group.try_into().map_err(Into::into)?;
        self.manager.join(&self.connection, group, None).await
    }

    /// Joins a group and makes the user present in it. The other members receive `joined` when this is the user's first
    /// connection in the group over all nodes, and `left` when the last one is gone: at once after a leave, after 3 s
    /// when the connection was lost. `left` is stored with the presence, so another node can send it when this one
    /// fails.
    ///
    /// # Errors
    /// The errors of [`join`](Self::join), and `BACKEND_UNAVAILABLE` when the presence could not be recorded. The
    /// connection is then a member all the same.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, the connection may or may not be a member, and its user present.
    /// Leaving the group ends both.
    pub async fn join_present<G, J, L>(&self, group: G, joined: &J, left: &L) -> Result<bool>
    where
        G: TryInto<GroupName, Error: Into<Error>>,
        J: SentBy<C>,
        L: SentBy<C>,
    {
        let group = group.try_into().map_err(Into::into)?;
        let present = PresenceMessages { joined: EncodedMessage::of(joined)?, left: EncodedMessage::of(left)? };
        self.manager.join(&self.connection, group, Some(present)).await
    }

    /// Leaves a group; returns false when this connection is not a member.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` when the name is invalid, and `BACKEND_UNAVAILABLE` when the presence could not be removed.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, the connection may or may not be a member. If it is not, its
    /// presence ends too.
    pub async fn leave<G: TryInto<GroupName, Error: Into<Error>>>(&self, group: G) -> Result<bool> {
        let group = group.try_into().map_err(Into::into)?;
        self.manager.leave(&self.connection, &group).await
    }

    /// Returns whether this connection is a member of `group`.
    #[must_use]
    pub fn is_in(&self, group: &str) -> bool {
        self.connection.is_in(group)
    }

    /// Returns the groups of this connection, in the order in which it joined them.
    #[must_use]
    pub fn groups(&self) -> Vec<GroupName> {
        self.connection.groups()
    }

    /// Closes this connection after the handler has ended. Messages sent before the close are still delivered. A
    /// `reason` longer than 123 bytes is cut, and a code that must not be sent (RFC 6455 7.4.1) gives a close frame
    /// without a code.
    pub fn close(&self, code: CloseCode, reason: impl Into<std::borrow::Cow<'static, str>>) {
        self.connection.close(Closing::AfterHandler(CloseReason::new(code, reason)));
    }

    /// Runs a task on this connection's worker, such as a streaming answer or a ticker. The task is dropped when the
    /// connection ends. A panic in it is logged and ends only the task.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.manager.spawn_for(&self.connection, task);
    }
}
