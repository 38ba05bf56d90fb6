//! Outbound messages: encoded once, with their recipient and its exceptions.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::codec::{Codec, json_type_of, packed, unencodable};
use super::{Message, Overflow, external};
use crate::error::Result;
use crate::id::{ConnectionId, GroupName, UserId};
use crate::wire::{Frame, text_frame};

/// The connections that a message is sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// Every connection in a group.
    Group(GroupName),
    /// Every connection of a user.
    User(UserId),
    /// One connection.
    Connection(ConnectionId),
    /// Every connection of every node.
    Everyone,
}

/// Connections of the recipient that do not get the message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Except {
    /// This connection.
    pub connection: Option<ConnectionId>,
    /// All connections of these users.
    pub users: Vec<UserId>,
}

impl Except {
    /// Returns whether no connection is excepted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.connection.is_none() && self.users.is_empty()
    }

    /// Returns whether a connection of a user is excepted.
    #[must_use]
    pub fn covers(&self, connection: ConnectionId, user: &UserId) -> bool {
        self.connection == Some(connection) || self.users.contains(user)
    }
}

/// An encoded message with its recipient.
#[derive(Debug, Clone)]
pub struct OutboundMessage {
    /// The connections that get it.
    pub to: Recipient,
    /// Those among them that do not.
    pub except: Except,
    body: Arc<EncodedMessage>,
}

impl OutboundMessage {
    pub(crate) fn new(to: Recipient, except: Except, body: EncodedMessage) -> Self {
        Self { to, except, body: Arc::new(body) }
    }

    /// Encodes a message for all connections of a recipient.
    ///
    /// # Errors
    /// An internal error when it cannot be encoded.
    #[cfg(feature = "redis")]
    pub(crate) fn of<M: Message>(to: Recipient, message: &M) -> Result<Self> {
        Ok(Self::new(to, Except::default(), EncodedMessage::of(message)?))
    }

    /// Restores a message that another node sent: `envelope` is the complete JSON envelope.
    #[must_use]
    pub fn from_envelope(to: Recipient, except: Except, overflow: Overflow, envelope: &[u8]) -> Self {
        let Ok(json) = text_frame(|buffer| {
            buffer.extend_from_slice(envelope);
            Ok::<_, Infallible>(())
        });
        Self::new(to, except, EncodedMessage { json, packed: OnceLock::new(), overflow })
    }

    /// Reads a message that an external program published. Its type and data are checked; nothing else of its JSON
    /// envelope is kept.
    ///
    /// # Errors
    /// `INVALID_JSON`, `INVALID_ENVELOPE`, or `VALIDATION_FAILED` when `type` is malformed or reserved, when `data` is
    /// not an object, or when the envelope is longer than `max_bytes`.
    pub fn from_external(to: Recipient, except: Except, envelope: &[u8], max_bytes: usize) -> Result<Self> {
        let envelope = external::read(envelope, max_bytes)?;
        Ok(Self::from_envelope(to, except, Overflow::Disconnect, &envelope))
    }

    /// Returns the complete JSON envelope, as it is sent to other nodes.
    #[must_use]
    pub fn envelope(&self) -> Bytes {
        self.body.json.payload()
    }

    /// Returns the complete JSON envelope without sharing it.
    #[cfg(feature = "redis")]
    pub(crate) fn envelope_bytes(&self) -> &[u8] {
        self.body.json.payload_bytes()
    }

    /// Returns the policy for connections that do not read fast enough.
    #[must_use]
    pub fn overflow(&self) -> &Overflow {
        &self.body.overflow
    }

    pub(crate) fn body(&self) -> &Arc<EncodedMessage> {
        &self.body
    }
}

/// An encoded message without its recipient. It holds JSON, as it is sent to other nodes; MessagePack is derived from
/// it once per node, when the first member needs it.
#[derive(Debug)]
pub(crate) struct EncodedMessage {
    json: Frame,
    packed: OnceLock<Option<Frame>>,
    overflow: Overflow,
}

impl EncodedMessage {
    /// Encodes a message under its own type.
    ///
    /// # Errors
    /// An internal error when it cannot be encoded.
    pub(crate) fn of<M: Message>(message: &M) -> Result<Self> {
        let json = Codec::Json.encode(M::TYPE, None, Some(message)).map_err(|error| unencodable(M::TYPE, error))?;
        Ok(Self { json, packed: OnceLock::new(), overflow: message.overflow() })
    }

    /// Wraps bytes that represent a frame in the model checks.
    #[cfg(all(test, feature = "model"))]
    pub(crate) fn raw(bytes: &'static [u8]) -> Self {
        let json = Frame::raw(Bytes::from_static(bytes));
        Self { json, packed: OnceLock::new(), overflow: Overflow::Disconnect }
    }

    /// Returns the complete JSON envelope.
    pub(crate) fn envelope(&self) -> Bytes {
        self.json.payload()
    }

    /// Returns the frame for connections of a codec; `None` when the envelope of another node is not JSON.
    pub(crate) fn frame(&self, codec: Codec) -> Option<&Bytes> {
        match codec {
            Codec::Json => Some(self.json.bytes()),
            Codec::MessagePack => {
                let packed = self.packed.get_or_init(|| packed(self.json.payload_bytes()));
                packed.as_ref().map(Frame::bytes)
            }
        }
    }

    pub(crate) fn overflow(&self) -> &Overflow {
        &self.overflow
    }

    /// Returns the type if the envelope begins with it, as the framework writes envelopes. It serves statistics.
    pub(crate) fn message_type(&self) -> Option<&str> {
        json_type_of(self.json.payload_bytes())
    }
}
