//! Joins and leaves.

use std::sync::Arc;

use super::command::SlotId;
use super::group::{EVERYONE, Group, GroupMember, index};
use super::slot::SlotMembership;
use super::state::ShardState;
use crate::id::GroupName;
use crate::message::Codec;
use crate::registry::ConnectionHandle;

impl ShardState {
    pub(super) fn join(&mut self, id: SlotId, name: GroupName) {
        if self.slot(id).is_none() {
            return;
        }
        self.deliver_batches();
        let group = match self.names.get(&name) {
            Some(group) => *group,
            None => {
                let group = index(self.groups.insert(Group::new(Some(name.clone()))));
                self.names.insert(name, group);
                group
            }
        };
        let is_member =
            self.slot(id).is_some_and(|slot| slot.memberships.iter().any(|membership| membership.group == group));
        if !is_member {
            self.add_member(id.index, group);
        }
    }

    pub(super) fn leave(&mut self, id: SlotId, name: &GroupName) {
        self.deliver_batches();
        let Some(group) = self.names.get(name).copied() else { return };
        let membership = self
            .slot(id)
            .and_then(|slot| slot.memberships.iter().find(|membership| membership.group == group).copied());
        if let Some(membership) = membership {
            self.remove_member(id.index, membership);
        }
    }

    pub(super) fn leave_all(&mut self, id: SlotId) {
        self.deliver_batches();
        if self.slot(id).is_none() {
            return;
        }
        while let Some(last) = self.slots.get(id.index as usize).and_then(|slot| slot.memberships.last()).copied() {
            self.remove_member(id.index, last);
        }
    }

    pub(super) fn members(&self, name: &GroupName, into: &mut Vec<Arc<ConnectionHandle>>) {
        let group = self.names.get(name).and_then(|group| self.groups.get(*group as usize));
        for member in group.iter().flat_map(|group| &group.members) {
            into.extend(self.slots.get(member.slot as usize).map(|slot| slot.handle.clone()));
        }
    }

    pub(super) fn add_member(&mut self, at: u32, group_at: u32) {
        let (Some(slot), Some(group)) = (self.slots.get_mut(at as usize), self.groups.get_mut(group_at as usize))
        else {
            return;
        };
        slot.memberships.push(SlotMembership { group: group_at, position: index(group.members.len()) });
        group.members.push(GroupMember { slot: at, membership: index(slot.memberships.len() - 1) });
        group.msgpack_members += usize::from(slot.codec() == Codec::MessagePack);
    }

    /// Removes a slot from a group. Both lists fill the gap with their last entry, and the entry that refers to it is
    /// updated.
    fn remove_member(&mut self, at: u32, left: SlotMembership) {
        let Some(group) = self.groups.get_mut(left.group as usize) else { return };
        let Some(removed) = group.members.get(left.position as usize).copied() else { return };
        group.members.swap_remove(left.position as usize);
        let uses_msgpack = self.slots.get(at as usize).is_some_and(|slot| slot.codec() == Codec::MessagePack);
        group.msgpack_members -= usize::from(uses_msgpack);
        if let Some(moved) = group.members.get(left.position as usize)
            && let Some(slot) = self.slots.get_mut(moved.slot as usize)
            && let Some(membership) = slot.memberships.get_mut(moved.membership as usize)
        {
            membership.position = left.position;
        }
        if group.members.is_empty() && left.group != EVERYONE {
            if let Some(name) = group.name.take() {
                self.names.remove(&name);
            }
            self.groups.remove(left.group as usize);
        }
        let Some(slot) = self.slots.get_mut(at as usize) else { return };
        slot.memberships.swap_remove(removed.membership as usize);
        if let Some(moved) = slot.memberships.get(removed.membership as usize).copied()
            && let Some(group) = self.groups.get_mut(moved.group as usize)
            && let Some(member) = group.members.get_mut(moved.position as usize)
        {
            member.membership = removed.membership;
        }
    }
}
