//! A message on its way: encoded once, with who gets it and who does not.

use std::convert::Infallible;

use bytes::Bytes;

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
pub struct Parcel {
    /// Who gets it.
    pub to: Recipient,
    /// Who does not.
    pub except: Except,
    frame: Frame,
}

impl Parcel {
    pub(crate) fn new(to: Recipient, except: Except, frame: Frame) -> Self {
        Self { to, except, frame }
    }

    /// A parcel that came from another node: `envelope` is the complete JSON envelope.
    #[must_use]
    pub fn from_envelope(to: Recipient, except: Except, envelope: &[u8]) -> Self {
        let Ok(frame) = text_frame(|buffer| {
            buffer.extend_from_slice(envelope);
            Ok::<_, Infallible>(())
        });
        Self { to, except, frame }
    }

    /// The complete JSON envelope, as other nodes get it.
    #[must_use]
    pub fn envelope(&self) -> Bytes {
        self.frame.payload()
    }

    /// The frame, as sockets get it.
    pub(crate) fn frame(&self) -> &Bytes {
        self.frame.bytes()
    }
}
