//! The groups of this node: which shards hold members, and how many.

use std::any::Any;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use crate::id::GroupName;

/// The groups that have a member on this node.
///
/// The task that joins or leaves writes it under the connection's own lock and before it notifies the shard; every
/// sender reads it. So it may name a shard that has not processed its first join yet, or has just processed its last
/// leave: a message that finds no member there is dropped, which is correct.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    groups: DashMap<GroupName, LocalGroup>,
}

/// Permission for this node to have members in a group. Dropping it gives the permission back.
#[derive(Debug)]
pub(crate) struct GroupPermit {
    _guard: Box<dyn Any + Send + Sync>,
}

impl GroupPermit {
    /// Wraps `guard`, whose destructor gives the permission back.
    pub(crate) fn new(guard: impl Any + Send + Sync) -> Self {
        Self { _guard: Box::new(guard) }
    }
}

#[derive(Debug)]
struct LocalGroup {
    members: Vec<ShardMembers>,
    permit: GroupPermit,
}

/// How many members of a group one shard holds.
#[derive(Debug, Clone, Copy)]
struct ShardMembers {
    shard: u16,
    count: usize,
}

impl Directory {
    /// Counts a member in. The first member of a group on this node takes the `permit`; without one, the method returns
    /// false and changes nothing.
    pub(crate) fn add(&self, group: &GroupName, shard: u16, permit: &mut Option<GroupPermit>) -> bool {
        match self.groups.entry(group.clone()) {
            Entry::Vacant(entry) => {
                let Some(permit) = permit.take() else { return false };
                entry.insert(LocalGroup { members: vec![ShardMembers { shard, count: 1 }], permit });
            }
            Entry::Occupied(mut entry) => {
                let members = &mut entry.get_mut().members;
                match members.iter_mut().find(|members| members.shard == shard) {
                    Some(members) => members.count += 1,
                    None => members.push(ShardMembers { shard, count: 1 }),
                }
            }
        }
        true
    }

    /// Counts a member out. After the last one it returns the permit, which the caller drops once it holds no lock.
    pub(crate) fn remove(&self, group: &GroupName, shard: u16) -> Option<GroupPermit> {
        let Entry::Occupied(mut entry) = self.groups.entry(group.clone()) else { return None };
        let members = &mut entry.get_mut().members;
        if let Some(at) = members.iter().position(|members| members.shard == shard)
            && let Some(of_shard) = members.get_mut(at)
        {
            of_shard.count -= 1;
            if of_shard.count == 0 {
                members.swap_remove(at);
            }
        }
        members.is_empty().then(|| entry.remove().permit)
    }

    /// The shards that hold members of `group`.
    pub(crate) fn shards(&self, group: &GroupName) -> Vec<u16> {
        self.groups
            .get(group)
            .map_or_else(Vec::new, |group| group.members.iter().map(|members| members.shard).collect())
    }

    /// Whether a connection of this node is in `group`.
    pub(crate) fn contains(&self, group: &GroupName) -> bool {
        self.groups.contains_key(group)
    }

    /// How many connections of this node are in `group`.
    pub(crate) fn count(&self, group: &GroupName) -> usize {
        self.groups.get(group).map_or(0, |group| group.members.iter().map(|members| members.count).sum())
    }

    /// How many groups have members on this node.
    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }
}
