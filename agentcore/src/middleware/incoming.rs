//! A message on its way through a chain to its handler.

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

/// A message from a client, with its envelope decoded and its data not.
pub struct Incoming<'a> {
    pub(super) manager: &'a ConnectionManager,
    pub(super) connection: &'a Arc<Connection>,
    pub(super) message_type: &'a str,
    pub(super) data: OwnedData,
    pub(super) request: ReplyTarget,
    pub(super) bytes: usize,
    /// The handler and its index in `handlers`.
    pub(super) handler: Option<(usize, &'static Handler)>,
    pub(super) handlers: &'static [Handler],
}

impl<'a> Incoming<'a> {
    /// Returns the message type as the client wrote it. An unknown type may contain any character, so escape it for
    /// logs.
    #[must_use]
    pub fn message_type(&self) -> &'a str {
        self.message_type
    }

    /// Returns the `ref` of the envelope, which a client sends when it waits for a reply.
    #[must_use]
    pub fn reference(&self) -> Option<u64> {
        self.request.reference
    }

    /// Returns the undecoded data.
    #[must_use]
    pub fn data(&self) -> RawData<'_> {
        self.data.raw()
    }

    /// Decodes and validates the data.
    ///
    /// # Errors
    /// `VALIDATION_FAILED`, with every broken rule in its details.
    pub fn decode<P: Payload>(&self) -> Result<P> {
        self.data().decode()
    }

    /// Replaces the data. The handler decodes and validates them as if the client had sent them.
    ///
    /// # Errors
    /// `INTERNAL_ERROR` if the value cannot be encoded.
    pub fn set_data<T: Serialize>(&mut self, value: &T) -> Result<()> {
        self.data = self.data.of_same_codec(value).map_err(Error::internal)?;
        Ok(())
    }

    /// Returns the number of the message on its connection, counted from 1.
    pub(super) fn serial(&self) -> u64 {
        self.request.serial
    }

    /// Returns the size of the received message in bytes, including the envelope.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes
    }

    /// Returns the handler of the message, or `None` if the consumer has no handler for its type.
    #[must_use]
    pub fn handler(&self) -> Option<&'static Handler> {
        self.handler.map(|(_, handler)| handler)
    }

    /// Returns all handlers of the consumer, in source order.
    #[must_use]
    pub fn handlers(&self) -> &'static [Handler] {
        self.handlers
    }

    /// Returns the connection of the client.
    #[must_use]
    pub fn connection(&self) -> &'a Connection {
        self.connection
    }

    /// Returns the id of the connection.
    #[must_use]
    pub fn connection_id(&self) -> ConnectionId {
        self.connection.id()
    }

    /// Returns the user of the connection.
    #[must_use]
    pub fn user_id(&self) -> &'a UserId {
        self.connection.user_id()
    }

    /// Returns the address of the client; see [`Connection::ip`].
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.connection.ip()
    }

    /// Returns the identity of the client.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.connection.identity()
    }

    /// Returns the connection manager, to send, count or disconnect.
    #[must_use]
    pub fn manager(&self) -> &'a ConnectionManager {
        self.manager
    }

    /// Creates a reply that answers the message instead of the handler.
    ///
    /// A request with a `ref` gets `message` as its reply; otherwise the client gets it under its own message type. To
    /// acknowledge without a message, return [`Reply::default`].
    ///
    /// # Errors
    /// `INTERNAL_ERROR` if the message cannot be encoded.
    pub fn answer<M: Message>(&self, message: M) -> Result<Reply> {
        message.into_reply(&self.request)
    }
}

impl fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Leaves out the data, since debug output ends up in logs.
        f.debug_struct("Incoming")
            .field("message_type", &self.message_type)
            .field("reference", &self.reference())
            .field("size", &self.bytes)
            .field("connection", &self.connection_id())
            .field("user", self.user_id())
            .finish_non_exhaustive()
    }
}
