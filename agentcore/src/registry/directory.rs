//! Which shards hold members of a group, and how many.

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use std::fmt;
use std::sync::Arc;

use crate::backend::Backend;
use crate::id::GroupName;

/// The groups of this node. A group is here while a connection of this node is in it.
///
/// Written by whoever joins or leaves, under the connection's own lock and before the shard is told; read by every
/// sender. So a shard may be named that has not seen its first member yet, or has just lost its last: a message that
/// meets no member there is dropped, as it should be.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    groups: DashMap<GroupName, LocalGroup>,
}

#[derive(Debug)]
struct LocalGroup {
    shares: Vec<ShardMembers>,
    place: GroupPermit,
}

#[derive(Debug, Clone, Copy)]
struct ShardMembers {
    shard: u16,
    members: usize,
}

/// The place of a group with members on this node, among all groups of all nodes; dropping it gives it back.
pub(crate) struct GroupPermit(Option<Arc<dyn Backend>>);

impl GroupPermit {
    /// A place that `backend` has given.
    pub(crate) fn of(backend: Arc<dyn Backend>) -> Self {
        Self(Some(backend))
    }

    /// A place that nobody counts.
    #[cfg(all(test, feature = "model"))]
    pub(crate) fn uncounted() -> Self {
        Self(None)
    }
}

impl fmt::Debug for GroupPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GroupPermit")
    }
}

impl Drop for GroupPermit {
    fn drop(&mut self) {
        if let Some(backend) = self.0.take() {
            backend.release_group();
        }
    }
}

impl Directory {
    /// Counts a member in. The first one of this node takes the `place`; false without one, and nothing has changed.
    pub(crate) fn add(&self, group: &GroupName, shard: u16, place: &mut Option<GroupPermit>) -> bool {
        match self.groups.entry(group.clone()) {
            Entry::Vacant(entry) => {
                let Some(place) = place.take() else { return false };
                entry.insert(LocalGroup { shares: vec![ShardMembers { shard, members: 1 }], place });
            }
            Entry::Occupied(mut entry) => {
                let shares = &mut entry.get_mut().shares;
                match shares.iter_mut().find(|share| share.shard == shard) {
                    Some(share) => share.members += 1,
                    None => shares.push(ShardMembers { shard, members: 1 }),
                }
            }
        }
        true
    }

    /// Counts a member out. The last one of this node gets the place, to drop it when no lock is held.
    pub(crate) fn remove(&self, group: &GroupName, shard: u16) -> Option<GroupPermit> {
        let Entry::Occupied(mut entry) = self.groups.entry(group.clone()) else { return None };
        let shares = &mut entry.get_mut().shares;
        if let Some(at) = shares.iter().position(|share| share.shard == shard)
            && let Some(share) = shares.get_mut(at)
        {
            share.members -= 1;
            if share.members == 0 {
                shares.swap_remove(at);
            }
        }
        shares.is_empty().then(|| entry.remove().place)
    }

    /// The shards with members.
    pub(crate) fn shards(&self, group: &GroupName) -> Vec<u16> {
        self.groups.get(group).map_or_else(Vec::new, |group| group.shares.iter().map(|share| share.shard).collect())
    }

    /// Whether a connection of this node is in `group`.
    pub(crate) fn contains(&self, group: &GroupName) -> bool {
        self.groups.contains_key(group)
    }

    /// How many connections of this node are in `group`.
    pub(crate) fn count(&self, group: &GroupName) -> usize {
        self.groups.get(group).map_or(0, |group| group.shares.iter().map(|share| share.members).sum())
    }

    /// How many groups have members on this node.
    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }
}
