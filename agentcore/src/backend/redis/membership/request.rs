//! What is asked of the writer.

use tokio::sync::oneshot;

use crate::backend::{Admission, Presence, Refused};
use crate::id::{ConnectionId, GroupName, UserId};

/// Tells whoever asked for a place.
pub(super) type AdmissionReply = oneshot::Sender<Result<(), Refused>>;

/// What is asked of the writer.
#[derive(Debug)]
pub(in super::super) enum RegistryRequest {
    Admit(Admission, AdmissionReply),
    Release(Admission),
    /// A place for one more group than are granted.
    Groups(AdmissionReply),
    /// Fewer groups than are granted.
    FewerGroups,
    Members(GroupName),
    Enter(Box<PresenceEntry>, oneshot::Sender<()>),
    Exit {
        group: GroupName,
        user: UserId,
        connection: ConnectionId,
        lost: bool,
        done: oneshot::Sender<()>,
    },
    /// How many users this node alone makes present in groups.
    Present(Vec<GroupName>, oneshot::Sender<Vec<usize>>),
    /// Gives everything back.
    Leave(oneshot::Sender<()>),
}

/// A presence, with its payloads.
#[derive(Debug)]
pub(in super::super) struct PresenceEntry {
    pub(in super::super) presence: Presence,
    pub(in super::super) joined: bytes::Bytes,
    pub(in super::super) left: bytes::Bytes,
}
