//! What is known of one connection, as a copy that can be kept and shown.

use std::net::IpAddr;

use serde::Serialize;

use super::{Connection, Metadata};
use crate::auth::Identity;
use crate::id::{ConnectionId, GroupName, UserId};
use crate::message::Codec;
use crate::time::Timestamp;

/// One connection of this node at one moment.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// Its id, unique over all nodes.
    pub id: ConnectionId,
    /// Whose it is.
    pub user_id: UserId,
    /// What an authenticator said of it.
    #[serde(skip)]
    pub identity: Identity,
    /// The address it comes from; see [`Connection::ip`].
    pub ip: Option<IpAddr>,
    /// The format it speaks.
    #[serde(skip)]
    pub codec: Codec,
    /// When it was made.
    pub connected_at: Timestamp,
    /// When something was read from it last, to a quarter of a second.
    pub last_activity: Timestamp,
    /// Messages that came in.
    pub messages_in: u64,
    /// Bytes of those messages.
    pub bytes_in: u64,
    /// Messages that went into its outbox.
    pub messages_out: u64,
    /// Bytes of those messages, with their frames.
    pub bytes_out: u64,
    /// The groups it is in, in the order of joining.
    pub groups: Vec<GroupName>,
    /// What the application noted about it.
    pub metadata: Metadata,
}

impl ConnectionInfo {
    pub(super) fn of(connection: &Connection) -> Self {
        let (sent, silent) = connection.shard().activity(connection.slot()).unwrap_or_default();
        let (messages_in, bytes_in) = connection.activity().received();
        Self {
            id: connection.id(),
            user_id: connection.user_id().clone(),
            identity: connection.identity(),
            ip: connection.ip(),
            codec: connection.codec(),
            connected_at: connection.connected_at(),
            last_activity: Timestamp::now().before(silent).max(connection.connected_at()),
            messages_in,
            bytes_in,
            messages_out: sent.messages,
            bytes_out: sent.bytes,
            groups: connection.groups(),
            metadata: connection.metadata(),
        }
    }
}
