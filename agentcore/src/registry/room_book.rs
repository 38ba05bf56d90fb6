//! The members of a shard, the groups they are in, and the order in which they are written.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use slab::Slab;

use super::pending::Pending;
use super::seat::{Blocked, Phase, Place, Seat, Turns};
use super::shard::{Command, Member, OutboxLimits, Shard};
use super::{Closing, Connection, Sink};
use crate::error::CloseReason;
use crate::id::GroupName;
use crate::message::Except;

/// Groups of at most this many members are written with direct messages, before the bulk of big groups.
const SMALL_GROUP: usize = 64;
/// Messages that wait to be settled are settled at once above this many bytes.
const MAX_PENDING: usize = 256 * 1024;
/// The room that every connection is in.
const EVERYONE: u32 = 0;

/// Everything that a shard's lock guards.
#[derive(Debug)]
pub(super) struct RoomBook {
    shard: Weak<Shard>,
    limits: OutboxLimits,
    seats: Slab<Seat>,
    rooms: Slab<Room>,
    names: HashMap<GroupName, u32>,
    pending: Vec<Pending>,
    pending_bytes: usize,
    turns: Turns,
}

#[derive(Debug)]
struct Room {
    name: Option<GroupName>,
    members: Vec<Occupant>,
    /// The last entry of `pending` for this room.
    pending: Option<usize>,
}

/// A member of a room: its seat, and where its seat lists the room.
#[derive(Debug, Clone, Copy)]
struct Occupant {
    seat: u32,
    place: u32,
}

fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

impl RoomBook {
    pub(super) fn new(shard: Weak<Shard>, limits: OutboxLimits) -> Self {
        let mut rooms = Slab::new();
        rooms.insert(Room { name: None, members: Vec::new(), pending: None });
        Self {
            shard,
            limits,
            seats: Slab::new(),
            rooms,
            names: HashMap::new(),
            pending: Vec::new(),
            pending_bytes: 0,
            turns: Turns::default(),
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
        entry.insert(Seat::new(connection.clone(), sink, self.limits));
        self.enter(seat, EVERYONE);
        connection
    }

    pub(super) fn remove(&mut self, member: Member) -> bool {
        self.leave_all(member);
        self.seat(member).is_some() && self.seats.try_remove(member.index as usize).is_some()
    }

    pub(super) fn leave_all(&mut self, member: Member) {
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
            Command::Group(group, frame, except) => {
                if let Some(room) = self.names.get(&group).copied() {
                    self.publish(room, frame, except);
                }
            }
            Command::Everyone(frame, except) => self.publish(EVERYONE, frame, except),
            Command::Direct(member, frame) => self.send(member, frame),
        }
    }

    fn seat(&mut self, member: Member) -> Option<&mut Seat> {
        let seat = self.seats.get_mut(member.index as usize)?;
        (seat.connection.id().serial == member.serial).then_some(seat)
    }

    fn join(&mut self, member: Member, group: GroupName) {
        if self.seat(member).is_none() {
            return;
        }
        self.settle();
        let room = match self.names.get(&group) {
            Some(room) => *room,
            None => {
                let room = Room { name: Some(group.clone()), members: Vec::new(), pending: None };
                let room = index(self.rooms.insert(room));
                self.names.insert(group, room);
                room
            }
        };
        let already = self.seat(member).is_some_and(|seat| seat.rooms.iter().any(|place| place.room == room));
        if !already {
            self.enter(member.index, room);
        }
    }

    fn leave(&mut self, member: Member, group: &GroupName) {
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
        who.rooms.push(Place { room, at: index(into.members.len()) });
        into.members.push(Occupant { seat, place: index(who.rooms.len() - 1) });
    }

    /// Takes a seat out of a room. Both lists fill the gap with their last entry, whose other side is told.
    fn exit(&mut self, seat: u32, place: Place) {
        let Some(room) = self.rooms.get_mut(place.room as usize) else { return };
        let Some(gone) = room.members.get(place.at as usize).copied() else { return };
        room.members.swap_remove(place.at as usize);
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

    fn publish(&mut self, room: u32, frame: Bytes, except: Except) {
        let Some(target) = self.rooms.get_mut(room as usize) else { return };
        self.pending_bytes += frame.len();
        let last = target.pending.and_then(|at| self.pending.get_mut(at));
        if !last.is_some_and(|last| last.join(&frame, &except)) {
            target.pending = Some(self.pending.len());
            self.pending.push(Pending::new(room, frame, except));
        }
        if self.pending_bytes > MAX_PENDING {
            self.settle();
        }
    }

    /// Gives the pending chunks to the members. It runs before anything that changes who is a member or that goes to
    /// one connection, so that joins, leaves, direct and group messages of one sender keep their order.
    pub(super) fn settle(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        self.pending_bytes = 0;
        let mut pending = std::mem::take(&mut self.pending);
        for entry in pending.drain(..) {
            let (number, except, chunk) = entry.into_parts();
            let everybody = except.is_empty();
            let Some(room) = self.rooms.get_mut(number as usize) else { continue };
            room.pending = None;
            let urgent = room.members.len() <= SMALL_GROUP;
            // The members are taken out for the walk: delivering needs the rest of the book.
            let members = std::mem::take(&mut room.members);
            for occupant in &members {
                let Some(seat) = self.seats.get_mut(occupant.seat as usize) else { continue };
                if !everybody && except.covers(seat.connection.id(), seat.connection.user_id()) {
                    continue;
                }
                seat.deliver(&chunk, &self.shard, occupant.seat);
                let urgent = urgent || seat.heard;
                self.turns.queue(seat, occupant.seat, urgent);
            }
            if let Some(room) = self.rooms.get_mut(number as usize) {
                room.members = members;
            }
        }
        self.pending = pending;
    }

    fn send(&mut self, member: Member, frame: Bytes) {
        self.settle();
        let shard = self.shard.clone();
        let Some(seat) = self.seats.get_mut(member.index as usize) else { return };
        if seat.connection.id().serial == member.serial {
            seat.deliver(&frame, &shard, member.index);
            self.turns.queue(seat, member.index, true);
        }
    }

    /// Notes that something was read from a connection: it is written before the bulk of big groups. Who speaks hears
    /// back soon and speaks again, and those not yet reached get more frames per system call.
    pub(super) fn heard(&mut self, member: Member) {
        if let Some(seat) = self.seat(member) {
            seat.heard = true;
        }
    }

    pub(super) fn pong(&mut self, member: Member, frame: Bytes) {
        let Some(seat) = self.seats.get_mut(member.index as usize) else { return };
        if seat.connection.id().serial == member.serial && seat.phase == Phase::Open {
            seat.pong = Some(frame);
            self.turns.queue(seat, member.index, true);
        }
    }

    pub(super) fn finish(&mut self, member: Member, last: Option<Bytes>) {
        self.settle();
        let Some(seat) = self.seats.get_mut(member.index as usize) else { return };
        if seat.connection.id().serial != member.serial || seat.phase == Phase::Finishing {
            return;
        }
        seat.phase = Phase::Finishing;
        let pong = seat.pong.take();
        match last {
            // Nothing follows a close frame (RFC 6455 5.5.1), not even the pong that waits.
            Some(last) => pong.into_iter().chain([last]).for_each(|frame| seat.outbox.push(frame)),
            // Without a last frame the socket is dead, and what waits with it.
            None => seat.outbox.clear(),
        }
        self.turns.queue(seat, member.index, true);
    }

    pub(super) fn ready(&mut self, member: Member, result: Result<(), Closing>) {
        let Some(seat) = self.seats.get_mut(member.index as usize) else { return };
        if seat.connection.id().serial != member.serial {
            return;
        }
        seat.blocked = Blocked::No;
        if let Err(closing) = result {
            seat.give_up(closing);
        }
        self.turns.queue(seat, member.index, true);
    }

    pub(super) fn close_all(&mut self, reason: &CloseReason) {
        self.settle();
        for (_, seat) in &self.seats {
            seat.connection.close(Closing::AfterHandler(reason.clone()));
        }
    }

    /// Writes up to `slice` connections of each kind.
    pub(super) fn flush(&mut self, slice: usize) {
        self.turns.take(&mut self.seats, slice, |seat, at| seat.flush(&self.shard, at));
    }
}
