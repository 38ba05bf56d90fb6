//! Requests to the registry writer.

use tokio::sync::oneshot;

use crate::backend::{Admission, Presence, Refused};
use crate::id::{ConnectionId, GroupName, UserId};

/// Receives the decision on an admission.
pub(super) type AdmissionReply = oneshot::Sender<Result<(), Refused>>;

/// A request to the writer.
#[derive(Debug)]
pub(in super::super) enum RegistryRequest {
    Admit(Admission, AdmissionReply),
    Release(Admission),
    /// Asks for a group permit beyond the granted quota.
    AdmitGroup(AdmissionReply),
    /// Returns unused group permits to the other nodes.
    ShrinkGroupQuota,
    /// The number of connections that this node has in a group may have changed.
    GroupCountChanged(GroupName),
    Enter(Box<PresenceEntry>, oneshot::Sender<()>),
    Exit {
        group: GroupName,
        user: UserId,
        connection: ConnectionId,
        lost: bool,
        done: oneshot::Sender<()>,
    },
    /// Asks for the number of users in each group that are present through this node.
    PresentCounts(Vec<GroupName>, oneshot::Sender<Vec<usize>>),
    /// Removes this node from the registry and ends the writer.
    Leave(oneshot::Sender<()>),
}

/// A presence and its payloads for the channel of the group.
#[derive(Debug)]
pub(in super::super) struct PresenceEntry {
    pub(in super::super) presence: Presence,
    pub(in super::super) joined: bytes::Bytes,
    pub(in super::super) left: bytes::Bytes,
}
