//! What is asked of the writer.

use tokio::sync::oneshot;

use crate::backend::{Admission, Presence, Refused};
use crate::id::{ConnectionId, GroupName, UserId};

/// Tells whoever asked for a place.
pub(super) type Answer = oneshot::Sender<Result<(), Refused>>;

/// What is asked of the writer.
#[derive(Debug)]
pub(in super::super) enum Ask {
    Admit(Admission, Answer),
    Release(Admission),
    /// A place for one more group than are granted.
    Groups(Answer),
    /// Fewer groups than are granted.
    FewerGroups,
    Members(GroupName),
    Enter(Box<Entry>, oneshot::Sender<()>),
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
pub(in super::super) struct Entry {
    pub(in super::super) presence: Presence,
    pub(in super::super) joined: bytes::Bytes,
    pub(in super::super) left: bytes::Bytes,
}
