//! The registry as nodes write and read it: leases, changes, and the view of the cluster.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;

use crate::backend::{Admission, AdmissionLimits, Refused};
use crate::id::{GroupName, NodeId, UserId};

/// A request of a node for a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JoinRequest {
    /// Chosen at random.
    pub(crate) lease: u64,
    pub(crate) node: NodeId,
    /// The start of the node; all its leases share it.
    pub(crate) incarnation: u64,
    /// The connections and the group permits that the node has already. They count from now on, even over the limits.
    pub(crate) connections: usize,
    pub(crate) groups: usize,
    /// Number of this join within the incarnation; later joins have higher numbers.
    pub(crate) attempt: u64,
    /// The epoch in which the node wrote before. If it is not the current one, Redis has lost that epoch. Then the
    /// connections of other nodes are unknown for one lease, and admissions are [`ChangeOutcome::Uncertain`].
    pub(crate) previous_epoch: Option<u64>,
}

/// The lease and the epoch under which a node writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WriteLease {
    pub(crate) lease: u64,
    pub(crate) epoch: u64,
    /// The limits that admissions are checked against.
    pub(crate) limits: AdmissionLimits,
}

/// A change of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// Admits a connection if the limits permit it.
    Admit(Admission),
    /// Adds a connection that the node admitted without Redis, even over the limits.
    ForceAdmit(Admission),
    /// Releases an admission. Does nothing when this lease has no connection of the user.
    Release(Admission),
    /// Sets the number of connections of a user on this node; [`JoinRequest::connections`] includes them.
    UserConnections(UserId, usize),
    /// Sets the number of connections from an address on this node.
    IpConnections(IpAddr, usize),
    /// Resizes the node's quota of group permits to `wanted` as far as permits are free, and to at least `needed`, even
    /// over the limit. [`ChangeOutcome::Uncertain`] after a loss: the node then keeps the larger of its quota and
    /// `needed`, which is less than `wanted`.
    GroupQuota { wanted: usize, needed: usize },
    /// Sets the number of connections of this node in a group.
    GroupMembers(GroupName, usize),
    /// A connection of this node makes a user present in a group.
    Enter(EnterPresence),
    /// No connection of this node makes the user present any more. With `lost`, the leave message waits for the grace
    /// period and is dropped if the user comes back.
    Exit { group: GroupName, user: UserId, lost: bool },
}

/// A presence that begins on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EnterPresence {
    pub(crate) group: GroupName,
    pub(crate) user: UserId,
    /// Payload for the channel of the group. Published in the same step if no other node has the user there and no
    /// grace period of the user runs.
    pub(crate) joined: Bytes,
    /// Payload for the end of the presence; the registry keeps it.
    pub(crate) left: Bytes,
    /// Whether the presence is written again in a new epoch after a loss. Nothing is published for it during the first
    /// lease of an epoch that began with a loss, because the group has received the join message already.
    pub(crate) is_replay: bool,
}

/// The result of a change.
#[derive(Debug)]
pub(crate) enum ChangeOutcome {
    Done,
    /// Admitted; the number of connections that the user has now on all nodes.
    Admitted(usize),
    Refused(Refused),
    /// Redis has lost an epoch, and not every node has written its state again.
    Uncertain,
    /// The group permits that the node has now.
    GroupQuota(usize),
}

/// A node with a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) lease: u64,
    pub(crate) node: NodeId,
    pub(crate) incarnation: u64,
    /// The connections that the node has written to Redis.
    pub(crate) connections: usize,
    /// End of the lease by the clock of Redis; later than before if the node has renewed it. Zero if it has expired.
    pub(crate) expiry: Duration,
}

/// The cluster at the time of a join or renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClusterView {
    pub(crate) epoch: u64,
    /// Nodes with a live lease, including the own one.
    pub(crate) live: Vec<Peer>,
    /// Nodes whose lease has expired and whose keys still exist.
    pub(crate) expired: Vec<Peer>,
    /// Group permits of all live nodes.
    pub(crate) groups: usize,
    /// Time until the counts are certain again. Set after a loss, until every live node must have written its state
    /// again.
    pub(crate) uncertain_for: Option<Duration>,
    /// Time until the next leave message is due.
    pub(crate) next_leave: Option<Duration>,
}

impl ClusterView {
    /// Returns the number of connections of all live nodes. The numbers are those in Redis, whoever wrote them.
    pub(crate) fn connections(&self) -> usize {
        self.live.iter().fold(0_usize, |sum, peer| sum.saturating_add(peer.connections))
    }
}
