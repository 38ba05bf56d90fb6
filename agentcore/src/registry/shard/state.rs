//! The members of a shard, the groups they are in, and the order in which they are written.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use slab::Slab;

use super::batch::GroupBatch;
use super::flush_queue::FlushQueue;
use super::sink::Sink;
use super::slot::{Slot, SlotMembership};
use super::stats::{SentCounts, ShardStats};
use super::{Command, Shard, ShardSettings, SlotId};
use crate::id::GroupName;
use crate::message::Codec;
use crate::registry::Connection;
use crate::registry::heartbeat::HeartbeatWheel;

/// The room that every connection is in.
pub(super) const EVERYONE: u32 = 0;

/// Everything that a shard's lock guards.
#[derive(Debug)]
pub(super) struct ShardState {
    pub(super) shard: Weak<Shard>,
    pub(super) settings: ShardSettings,
    pub(super) seats: Slab<Slot>,
    pub(super) rooms: Slab<Group>,
    pub(super) names: HashMap<GroupName, u32>,
    pub(super) pending: Vec<GroupBatch>,
    pub(super) pending_bytes: usize,
    pub(super) turns: FlushQueue,
    pub(super) wheel: HeartbeatWheel,
    pub(super) tally: ShardStats,
    /// Connections that are to be told that they have missed something, as soon as that may be.
    pub(super) owed: Vec<SlotId>,
}

/// The members of a group, or everyone.
#[derive(Debug)]
pub(super) struct Group {
    /// `None` for the room of everyone.
    pub(super) name: Option<GroupName>,
    pub(super) members: Vec<GroupMember>,
    /// How many of them speak MessagePack.
    pub(super) packed: usize,
    /// The last entry of `pending` for this room.
    pub(super) pending: Option<usize>,
}

/// A member of a room: its seat, and where its seat lists the room.
#[derive(Debug, Clone, Copy)]
pub(super) struct GroupMember {
    pub(super) seat: u32,
    pub(super) place: u32,
}

pub(super) fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

impl ShardState {
    pub(super) fn new(shard: Weak<Shard>, settings: ShardSettings) -> Self {
        let mut rooms = Slab::new();
        rooms.insert(Group::new(None));
        Self {
            shard,
            settings,
            seats: Slab::new(),
            rooms,
            names: HashMap::new(),
            pending: Vec::new(),
            pending_bytes: 0,
            turns: FlushQueue::default(),
            wheel: HeartbeatWheel::new(settings.heartbeat),
            tally: ShardStats::default(),
            owed: Vec::new(),
        }
    }

    pub(super) fn has_work(&self) -> bool {
        !self.pending.is_empty() || !self.turns.is_empty()
    }

    pub(super) fn open(&mut self, sink: Sink, make: impl FnOnce(u32) -> Arc<Connection>) -> Arc<Connection> {
        // Who opens now does not get what was sent to everyone before.
        self.settle();
        let entry = self.seats.vacant_entry();
        let seat = index(entry.key());
        let connection = make(seat);
        self.wheel.add(connection.slot());
        entry.insert(Slot::new(connection.clone(), sink, self.settings.outbox, self.wheel.now()));
        self.enter(seat, EVERYONE);
        connection
    }

    pub(super) fn remove(&mut self, member: SlotId) -> bool {
        self.leave_all(member);
        self.seat(member).is_some() && self.seats.try_remove(member.index as usize).is_some()
    }

    pub(super) fn leave_all(&mut self, member: SlotId) {
        self.settle();
        if self.seat(member).is_none() {
            return;
        }
        while let Some(place) = self.seats.get(member.index as usize).and_then(|seat| seat.rooms.last()).copied() {
            self.exit(member.index, place);
        }
    }

    pub(super) fn apply(&mut self, command: Command) {
        match command {
            Command::Join(member, group) => self.join(member, group),
            Command::Leave(member, group) => self.leave(member, &group),
            Command::Send(to, body, except, receipt) => self.send(&to, body, except, receipt.as_ref()),
            Command::SendFrame(member, frame, overflow) => {
                self.send_frame(member, frame, overflow);
            }
            Command::Resync(gaps, cause) => self.resync(gaps, cause),
            Command::ResyncSlot(member, gaps, cause) => self.miss_alone(member, &gaps, cause),
        }
    }

    pub(super) fn seat(&mut self, member: SlotId) -> Option<&mut Slot> {
        let seat = self.seats.get_mut(member.index as usize)?;
        (seat.connection.id().serial == member.serial).then_some(seat)
    }

    fn join(&mut self, member: SlotId, group: GroupName) {
        if self.seat(member).is_none() {
            return;
        }
        self.settle();
        let room = match self.names.get(&group) {
            Some(room) => *room,
            None => {
                let room = index(self.rooms.insert(Group::new(Some(group.clone()))));
                self.names.insert(group, room);
                room
            }
        };
        let already = self.seat(member).is_some_and(|seat| seat.rooms.iter().any(|place| place.room == room));
        if !already {
            self.enter(member.index, room);
        }
    }

    fn leave(&mut self, member: SlotId, group: &GroupName) {
        self.settle();
        let Some(room) = self.names.get(group).copied() else { return };
        let place = self.seat(member).and_then(|seat| seat.rooms.iter().find(|place| place.room == room).copied());
        if let Some(place) = place {
            self.exit(member.index, place);
        }
    }

    fn enter(&mut self, seat: u32, room: u32) {
        let (Some(into), Some(who)) = (self.rooms.get_mut(room as usize), self.seats.get_mut(seat as usize)) else {
            return;
        };
        who.rooms.push(SlotMembership { room, at: index(into.members.len()) });
        into.members.push(GroupMember { seat, place: index(who.rooms.len() - 1) });
        into.packed += usize::from(who.codec() == Codec::MessagePack);
    }

    /// Takes a seat out of a room. Both lists fill the gap with their last entry, whose other side is told.
    fn exit(&mut self, seat: u32, place: SlotMembership) {
        let Some(room) = self.rooms.get_mut(place.room as usize) else { return };
        let Some(gone) = room.members.get(place.at as usize).copied() else { return };
        room.members.swap_remove(place.at as usize);
        let packs = self.seats.get(seat as usize).is_some_and(|seat| seat.codec() == Codec::MessagePack);
        room.packed -= usize::from(packs);
        if let Some(moved) = room.members.get(place.at as usize)
            && let Some(entry) =
                self.seats.get_mut(moved.seat as usize).and_then(|seat| seat.rooms.get_mut(moved.place as usize))
        {
            entry.at = place.at;
        }
        if room.members.is_empty() && place.room != EVERYONE {
            if let Some(name) = room.name.take() {
                self.names.remove(&name);
            }
            self.rooms.remove(place.room as usize);
        }
        let Some(who) = self.seats.get_mut(seat as usize) else { return };
        who.rooms.swap_remove(gone.place as usize);
        if let Some(moved) = who.rooms.get(gone.place as usize).copied()
            && let Some(entry) =
                self.rooms.get_mut(moved.room as usize).and_then(|room| room.members.get_mut(moved.at as usize))
        {
            entry.place = gone.place;
        }
    }

    pub(super) fn members(&self, group: &GroupName, into: &mut Vec<Arc<Connection>>) {
        let room = self.names.get(group).and_then(|room| self.rooms.get(*room as usize));
        for occupant in room.iter().flat_map(|room| &room.members) {
            into.extend(self.seats.get(occupant.seat as usize).map(|seat| seat.connection.clone()));
        }
    }

    /// What a connection was sent so far, and when something was heard of it.
    pub(super) fn activity(&mut self, member: SlotId) -> Option<(SentCounts, std::time::Duration)> {
        let heard_at = self.seat(member)?.heard_at;
        let silent = self.wheel.since(heard_at);
        self.seat(member).map(|seat| (seat.sent, silent))
    }

    /// The counts of the shard.
    pub(super) fn stats(&self) -> ShardStats {
        let outbox_bytes = self.seats.iter().map(|(_, seat)| seat.outbox.bytes() as u64).sum();
        let mut tally = self.tally.clone();
        tally.outbox_bytes = outbox_bytes;
        tally
    }
}

impl Group {
    fn new(name: Option<GroupName>) -> Self {
        Self { name, members: Vec::new(), packed: 0, pending: None }
    }
}
