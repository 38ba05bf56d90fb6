//! A message on its way to its handler.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use super::{Handler, RawData, Reply};
use crate::auth::Identity;
use crate::consumer::{IntoReply, ReplyTarget};
use crate::error::{Error, Result};
use crate::id::{ConnectionId, UserId};
use crate::manager::ConnectionManager;
use crate::message::{Message, OwnedData, Payload};
use crate::registry::Connection;

/// One message of a client: the envelope was read, the data was not.
pub struct Incoming<'a> {
    pub(super) manager: &'a ConnectionManager,
    pub(super) connection: &'a Arc<Connection>,
    pub(super) message_type: &'a str,
    pub(super) data: OwnedData,
    pub(super) request: ReplyTarget,
    pub(super) bytes: usize,
    /// Its number in the table, for the consumer.
    pub(super) handler: Option<(usize, &'static Handler)>,
    pub(super) handlers: &'static [Handler],
}

impl<'a> Incoming<'a> {
    /// The `type` of the envelope, as the client wrote it: of an unknown one, every character may be there. For the log,
    /// escape it.
    #[must_use]
    pub fn message_type(&self) -> &'a str {
        self.message_type
    }

    /// The `ref` of the envelope: the client waits for an answer.
    #[must_use]
    pub fn reference(&self) -> Option<u64> {
        self.request.reference
    }

    /// The data, not decoded yet.
    #[must_use]
    pub fn data(&self) -> RawData<'_> {
        self.data.raw()
    }

    /// Decodes and validates the data.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` with every broken rule in its details.
    pub fn decode<P: Payload>(&self) -> Result<P> {
        self.data().decode()
    }

    /// Puts other data in the place of what the client sent; the handler decodes and validates them as if they had come.
    ///
    /// # Errors
    /// `INTERNAL_ERROR` when the value cannot be encoded.
    pub fn set_data<T: Serialize>(&mut self, value: &T) -> Result<()> {
        self.data = self.data.of_same_codec(value).map_err(Error::internal)?;
        Ok(())
    }

    /// Counts the messages of the connection from 1.
    pub(super) fn serial(&self) -> u64 {
        self.request.serial
    }

    /// The size of the whole message as it came, in bytes, envelope included.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes
    }

    /// The handler of the message; `None` for a type that the consumer does not know.
    #[must_use]
    pub fn handler(&self) -> Option<&'static Handler> {
        self.handler.map(|(_, handler)| handler)
    }

    /// All handlers of the consumer, in the order of the source.
    #[must_use]
    pub fn handlers(&self) -> &'static [Handler] {
        self.handlers
    }

    /// The connection it came from.
    #[must_use]
    pub fn connection(&self) -> &'a Connection {
        self.connection
    }

    /// The id of that connection.
    #[must_use]
    pub fn connection_id(&self) -> ConnectionId {
        self.connection.id()
    }

    /// The user of that connection.
    #[must_use]
    pub fn user_id(&self) -> &'a UserId {
        self.connection.user_id()
    }

    /// The address of the client; see [`Connection::ip`].
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.connection.ip()
    }

    /// Who it is, as far as an authenticator has said.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.connection.identity()
    }

    /// Sends, counts and closes; see [`ConnectionManager`].
    #[must_use]
    pub fn manager(&self) -> &'a ConnectionManager {
        self.manager
    }

    /// Answers the message in the handler's place: a request with a `ref` gets a reply, another one the message under
    /// its own type. To acknowledge without a message, return [`Reply::default`].
    ///
    /// # Errors
    /// `INTERNAL_ERROR` when the message cannot be encoded.
    pub fn answer<M: Message>(&self, message: M) -> Result<Reply> {
        message.into_reply(&self.request)
    }
}

impl fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the data: a debug text ends up in a log.
        f.debug_struct("Incoming")
            .field("message_type", &self.message_type)
            .field("reference", &self.reference())
            .field("size", &self.bytes)
            .field("connection", &self.connection_id())
            .field("user", self.user_id())
            .finish_non_exhaustive()
    }
}
