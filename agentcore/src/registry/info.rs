//! A snapshot of a connection.

use std::net::IpAddr;

use serde::Serialize;

use super::Metadata;
use crate::auth::Identity;
use crate::id::{ConnectionId, GroupName, UserId};
use crate::message::Codec;
use crate::time::Timestamp;

/// Snapshot of one connection of this node, see [`Connection::info`](super::Connection::info).
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// Id of the connection, unique across all nodes.
    pub id: ConnectionId,
    /// User of the connection.
    pub user_id: UserId,
    /// Identity that the authenticator returned.
    #[serde(skip)]
    pub identity: Identity,
    /// Address of the client, see [`Connection::ip`](super::Connection::ip).
    pub ip: Option<IpAddr>,
    /// Format of its messages.
    #[serde(skip)]
    pub codec: Codec,
    /// Time at which the connection was opened.
    pub connected_at: Timestamp,
    /// Time at which data was last read from the connection, accurate to 250 milliseconds.
    pub last_activity: Timestamp,
    /// Number of messages received from the client.
    pub messages_in: u64,
    /// Size of the received messages in bytes, without frame headers.
    pub bytes_in: u64,
    /// Number of messages that entered the outbox.
    pub messages_out: u64,
    /// Size of those messages in bytes, frame headers included.
    pub bytes_out: u64,
    /// Groups that the connection is in, in the order in which it joined them.
    pub groups: Vec<GroupName>,
    /// Values that the application has set.
    pub metadata: Metadata,
}
