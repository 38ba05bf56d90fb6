//! What a handler is given beside its payload: the connection, and everybody it can reach from there.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::sync::Arc;

use super::ReplyTarget;
use crate::auth::Identity;
use crate::error::{CloseCode, CloseReason, Error, Result};
use crate::id::{ConnectionId, GroupName, UserId};
use crate::manager::{ConnectionManager, PresenceMessages, Sending, SentBy, To};
use crate::message::{EncodedMessage, Overflow, Recipient, unencodable};
use crate::registry::{Closing, Connection, Metadata};

/// The connection of a handler of consumer `C`, and its ways to send.
///
/// A cheap clone that may leave the handler. What it sends is checked against the `sends(..)` of `C` by the compiler.
pub struct Context<C> {
    manager: ConnectionManager,
    connection: Arc<Connection>,
    request: ReplyTarget,
    consumer: PhantomData<fn() -> C>,
}

impl<C> Clone for Context<C> {
    fn clone(&self) -> Self {
        Self {
            manager: self.manager.clone(),
            connection: self.connection.clone(),
            request: self.request,
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
        Self { manager, connection, request: ReplyTarget::NONE, consumer: PhantomData }
    }

    pub(crate) fn set_reply_target(&mut self, request: ReplyTarget) {
        self.request = request;
    }

    /// The request that is being answered, for generated code.
    #[doc(hidden)]
    #[must_use]
    pub fn reply_target(&self) -> &ReplyTarget {
        &self.request
    }

    /// The id of this connection.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.connection.id()
    }

    /// The user of this connection.
    #[must_use]
    pub fn user_id(&self) -> &UserId {
        self.connection.user_id()
    }

    /// Who the client is: the user, and what the [`Authenticator`](crate::Authenticator) said of it. After a fresh token
    /// it is the new one.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.connection.identity()
    }

    /// The address the client comes from; see [`Connection::ip`](crate::manager::Connection::ip).
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.connection.ip()
    }

    /// What the application noted about this connection, such as the kind of device.
    #[must_use]
    pub fn metadata(&self) -> Metadata {
        self.connection.metadata()
    }

    /// Notes a value about this connection; it is in its [`ConnectionInfo`](crate::manager::ConnectionInfo), and ends with it.
    ///
    /// # Errors
    /// `INTERNAL_ERROR` when the value cannot be serialized.
    pub fn set_metadata<T: serde::Serialize>(&self, name: &str, value: &T) -> Result<()> {
        self.connection.set_metadata(name, value)
    }

    /// The manager, for questions and for sends that no `sends(..)` covers.
    #[must_use]
    pub fn manager(&self) -> &ConnectionManager {
        &self.manager
    }

    /// Sends to this connection.
    ///
    /// # Errors
    /// When the message cannot be encoded.
    pub fn send<M: SentBy<C>>(&self, message: &M) -> Sending {
        let frame =
            self.connection.codec().encode(M::TYPE, None, Some(message)).map_err(|error| unencodable(M::TYPE, error));
        Sending::direct(&self.connection, frame, message.overflow())
    }

    /// Answers the request now, where the answer must come before other messages or has one of several types; the
    /// handler then returns `()`. A request with a `ref` gets a reply, another one the message under its own type.
    ///
    /// # Errors
    /// `INTERNAL_ERROR` when the request was answered before or is over.
    pub fn reply<M: SentBy<C>>(&self, message: &M) -> Sending {
        let answer = if self.request.serial != 0 && self.connection.answer_once(self.request.serial) {
            self.request.answer(message)
        } else {
            Err(Error::internal("a request is answered once, by its own handler"))
        };
        Sending::direct(&self.connection, answer, Overflow::Disconnect)
    }

    /// Another connection, on whichever node.
    pub fn connection(&self, id: ConnectionId) -> To<'_, C> {
        self.to(Ok(Recipient::Connection(id)))
    }

    /// All connections of a user.
    pub fn user<U: TryInto<UserId, Error: Into<Error>>>(&self, user: U) -> To<'_, C> {
        self.to(user.try_into().map(Recipient::User).map_err(Into::into))
    }

    /// All connections in a group, this one too if it is in it.
    pub fn group<G: TryInto<GroupName, Error: Into<Error>>>(&self, group: G) -> To<'_, C> {
        self.to(group.try_into().map(Recipient::Group).map_err(Into::into))
    }

    /// All connections of all nodes.
    pub fn everyone(&self) -> To<'_, C> {
        self.to(Ok(Recipient::Everyone))
    }

    fn to(&self, recipient: Result<Recipient>) -> To<'_, C> {
        To::new(&self.manager, recipient, Some(self.id()))
    }

    /// Enters a group; false when this connection is in it already. Every message whose send starts after this has
    /// returned, on any node, reaches this connection or is covered by an `agentcore.resync`.
    ///
    /// # Errors
    /// A name that is none, or `LIMIT_EXCEEDED` at `WS_MAX_GROUPS_PER_CONNECTION`.
    ///
    /// # Cancel safety
    /// Dropped before its end, the connection may be in the group; leaving is right in both cases.
    pub async fn join<G: TryInto<GroupName, Error: Into<Error>>>(&self, group: G) -> Result<bool> {
        let group = group.try_into().map_err(Into::into)?;
        self.manager.join(&self.connection, group, None).await
    }

    /// Enters a group and makes the user present in it: `joined` goes to the others when this is the user's first
    /// connection there over all nodes, `left` when the last one has gone: at once after a leave, after 3 s when the
    /// connection was lost. `left` is kept with the entry, so that another node can send it for one that died.
    ///
    /// # Errors
    /// As [`join`](Self::join), and `BACKEND_UNAVAILABLE`.
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

    /// Leaves a group; false when this connection is not in it.
    ///
    /// # Errors
    /// A name that is none, or `BACKEND_UNAVAILABLE` when a presence could not be taken back.
    pub async fn leave<G: TryInto<GroupName, Error: Into<Error>>>(&self, group: G) -> Result<bool> {
        let group = group.try_into().map_err(Into::into)?;
        self.manager.leave(&self.connection, &group).await
    }

    /// Whether this connection is in `group`.
    #[must_use]
    pub fn is_in(&self, group: &str) -> bool {
        self.connection.is_in(group)
    }

    /// The groups of this connection, in the order of joining.
    #[must_use]
    pub fn groups(&self) -> Vec<GroupName> {
        self.connection.groups()
    }

    /// Closes this connection when the handler has ended; what was sent before still goes out.
    pub fn close(&self, code: CloseCode, reason: impl Into<std::borrow::Cow<'static, str>>) {
        self.connection.close(Closing::AfterHandler(CloseReason::new(code, reason)));
    }

    /// Runs a task on this connection's worker, until it ends or the connection does: a streaming answer, a ticker.
    /// A panic in it is logged and ends only it.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.manager.spawn_for(&self.connection, task);
    }
}
