//! The members that a group has in one shard.

use crate::id::GroupName;

/// Index of the group that every connection is in.
pub(super) const EVERYONE: u32 = 0;

/// A group, or everyone.
#[derive(Debug)]
pub(super) struct Group {
    /// `None` for everyone.
    pub(super) name: Option<GroupName>,
    pub(super) members: Vec<GroupMember>,
    /// How many members use MessagePack.
    pub(super) msgpack_members: usize,
    /// Index of the group's last batch.
    pub(super) batch: Option<usize>,
}

/// A member of a group. Slot and group refer to each other by index, so that a leave takes constant time.
#[derive(Debug, Clone, Copy)]
pub(super) struct GroupMember {
    pub(super) slot: u32,
    /// Index of the group in the slot's memberships.
    pub(super) membership: u32,
}

impl Group {
    pub(super) fn new(name: Option<GroupName>) -> Self {
        Self { name, members: Vec::new(), msgpack_members: 0, batch: None }
    }
}

/// An index in the compact form in which slots and groups refer to each other.
pub(super) fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
