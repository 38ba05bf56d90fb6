//! A message on its way: encoded once, with who gets it and who does not.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::codec::{Codec, json_type_of, packed, unencodable};
use super::{Message, Overflow, external};
use crate::error::Result;
use crate::id::{ConnectionId, GroupName, UserId};
use crate::wire::{Frame, text_frame};

/// Who gets a message.
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

/// Who does not get a message although the recipient covers them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Except {
    /// This connection.
    pub connection: Option<ConnectionId>,
    /// All connections of these users.
    pub users: Vec<UserId>,
}

impl Except {
    /// Whether nobody is excepted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.connection.is_none() && self.users.is_empty()
    }

    /// Whether a connection of a user is excepted.
    #[must_use]
    pub fn covers(&self, connection: ConnectionId, user: &UserId) -> bool {
        self.connection == Some(connection) || self.users.contains(user)
    }
}

/// An encoded message with its address.
#[derive(Debug, Clone)]
pub struct OutboundMessage {
    /// Who gets it.
    pub to: Recipient,
    /// Who does not.
    pub except: Except,
    body: Arc<EncodedMessage>,
}

impl OutboundMessage {
    pub(crate) fn new(to: Recipient, except: Except, body: EncodedMessage) -> Self {
        Self { to, except, body: Arc::new(body) }
    }

    /// A message for all that a recipient covers.
    ///
    /// # Errors
    /// When it cannot be encoded.
    #[cfg(feature = "redis")]
    pub(crate) fn of<M: Message>(to: Recipient, message: &M) -> Result<Self> {
        Ok(Self::new(to, Except::default(), EncodedMessage::of(message)?))
    }

    /// A message that came from another node: `envelope` is the complete JSON envelope.
    #[must_use]
    pub fn from_envelope(to: Recipient, except: Except, overflow: Overflow, envelope: &[u8]) -> Self {
        let Ok(json) = text_frame(|buffer| {
            buffer.extend_from_slice(envelope);
            Ok::<_, Infallible>(())
        });
        Self::new(to, except, EncodedMessage { json, packed: OnceLock::new(), overflow })
    }

    /// A message that came from a program which is no node: its type and data are checked, and nothing else of its JSON
    /// envelope is passed on.
    ///
    /// # Errors
    /// `INVALID_JSON`, `INVALID_ENVELOPE`, or `VALIDATION_FAILED` for a `type` that is none or the protocol's own, and for
    /// `data` that are no object or make the envelope longer than `max_bytes`.
    pub fn from_external(to: Recipient, except: Except, envelope: &[u8], max_bytes: usize) -> Result<Self> {
        let envelope = external::read(envelope, max_bytes)?;
        Ok(Self::from_envelope(to, except, Overflow::Disconnect, &envelope))
    }

    /// The complete JSON envelope, as other nodes get it.
    #[must_use]
    pub fn envelope(&self) -> Bytes {
        self.body.json.payload()
    }

    /// The same, to read.
    #[cfg(feature = "redis")]
    pub(crate) fn envelope_bytes(&self) -> &[u8] {
        self.body.json.payload_bytes()
    }

    /// What happens to it where a connection does not read fast enough.
    #[must_use]
    pub fn overflow(&self) -> &Overflow {
        &self.body.overflow
    }

    pub(crate) fn body(&self) -> &Arc<EncodedMessage> {
        &self.body
    }
}

/// An encoded message without its address. It is JSON first, as other nodes get it; MessagePack is made of that when the
/// first member wants it, once for the node.
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
    /// When it cannot be encoded.
    pub(crate) fn of<M: Message>(message: &M) -> Result<Self> {
        let json = Codec::Json.encode(M::TYPE, None, Some(message)).map_err(|error| unencodable(M::TYPE, error))?;
        Ok(Self { json, packed: OnceLock::new(), overflow: message.overflow() })
    }

    /// Bytes that stand for a frame in the model checks.
    #[cfg(all(test, feature = "model"))]
    pub(crate) fn raw(bytes: &'static [u8]) -> Self {
        let json = Frame::raw(Bytes::from_static(bytes));
        Self { json, packed: OnceLock::new(), overflow: Overflow::Disconnect }
    }

    /// The complete JSON envelope.
    pub(crate) fn envelope(&self) -> Bytes {
        self.json.payload()
    }

    /// The frame for connections of a codec; `None` when what came from outside is no JSON.
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

    /// The type in the envelope, if it stands where we write it; for counting.
    pub(crate) fn message_type(&self) -> Option<&str> {
        json_type_of(self.json.payload_bytes())
    }
}
