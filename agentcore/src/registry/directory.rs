//! Which shards hold members of a group, and how many.

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use crate::id::GroupName;

/// The groups of this node. A group is here while a connection of this node is in it.
///
/// Written by whoever joins or leaves, under the connection's own lock and before the shard is told; read by every
/// sender. So a shard may be named that has not seen its first member yet, or has just lost its last: a message that
/// meets no member there is dropped, as it should be.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    groups: DashMap<GroupName, Vec<Share>>,
}

#[derive(Debug, Clone, Copy)]
struct Share {
    shard: u16,
    members: usize,
}

impl Directory {
    /// Counts a member in; true when it is the first of this node.
    pub(crate) fn add(&self, group: &GroupName, shard: u16) -> bool {
        match self.groups.entry(group.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(vec![Share { shard, members: 1 }]);
                true
            }
            Entry::Occupied(mut entry) => {
                match entry.get_mut().iter_mut().find(|share| share.shard == shard) {
                    Some(share) => share.members += 1,
                    None => entry.get_mut().push(Share { shard, members: 1 }),
                }
                false
            }
        }
    }

    /// Counts a member out; true when it was the last of this node.
    pub(crate) fn remove(&self, group: &GroupName, shard: u16) -> bool {
        let Entry::Occupied(mut entry) = self.groups.entry(group.clone()) else { return false };
        let shares = entry.get_mut();
        if let Some(at) = shares.iter().position(|share| share.shard == shard)
            && let Some(share) = shares.get_mut(at)
        {
            share.members -= 1;
            if share.members == 0 {
                shares.swap_remove(at);
            }
        }
        let last = shares.is_empty();
        if last {
            entry.remove();
        }
        last
    }

    /// The shards with members.
    pub(crate) fn shards(&self, group: &GroupName) -> Vec<u16> {
        self.groups.get(group).map_or_else(Vec::new, |shares| shares.iter().map(|share| share.shard).collect())
    }

    /// Whether a connection of this node is in `group`.
    pub(crate) fn contains(&self, group: &GroupName) -> bool {
        self.groups.contains_key(group)
    }

    /// How many connections of this node are in `group`.
    pub(crate) fn count(&self, group: &GroupName) -> usize {
        self.groups.get(group).map_or(0, |shares| shares.iter().map(|share| share.members).sum())
    }

    /// How many groups have members on this node.
    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }
}
