//! From messages to outboxes.

use std::sync::Arc;

use bytes::Bytes;

use super::batch::{GroupBatch, GroupChunks};
use super::context::DeliveryContext;
use super::outbox::Chunk;
use super::resync::{Affected, LossReason};
use super::state::{EVERYONE, ShardState, index};
use super::{Receipt, SlotId, Target};
use crate::message::{Codec, EncodedMessage, Except, Overflow, type_of};

/// Groups of at most this many members are written with direct messages, before the bulk of big groups.
const SMALL_GROUP: usize = 64;
/// Messages that wait to be settled are settled at once above this many bytes.
const MAX_PENDING: usize = 256 * 1024;

impl ShardState {
    /// Gives a message to its recipients: to a group when it is settled, unless its sender wants to know how many took it.
    pub(super) fn send(&mut self, to: &Target, body: Arc<EncodedMessage>, except: Except, receipt: Option<&Receipt>) {
        let room = match to {
            Target::Group(group) => self.names.get(group).copied(),
            Target::Everyone => Some(EVERYONE),
            Target::Slot(member) => {
                let taken = self.send_body(*member, &body);
                if let Some(receipt) = receipt {
                    receipt.note(usize::from(taken));
                }
                return;
            }
        };
        let Some(room) = room else { return };
        match receipt {
            None => self.publish(room, body, except),
            Some(receipt) => receipt.note(self.publish_now(room, body, except)),
        }
    }

    fn publish(&mut self, room: u32, body: Arc<EncodedMessage>, except: Except) {
        let Some(target) = self.rooms.get_mut(room as usize) else { return };
        let members = target.members.len();
        let everybody = except.is_empty();
        let message_type = body.message_type();
        if let Some(last) = target.pending.and_then(|at| self.pending.get_mut(at)) {
            let before = last.len();
            if last.join(&body, &except, self.settings.outbox.max_bytes) {
                let more = last.len() - before;
                self.tally.count(message_type, members, more * members);
                self.pending_bytes += more;
                if self.pending_bytes > MAX_PENDING {
                    self.settle();
                }
                return;
            }
        }
        let len = body.frame(Codec::Json).map_or(0, Bytes::len);
        if everybody {
            self.tally.count(message_type, members, len * members);
        }
        target.pending = Some(self.pending.len());
        self.pending.push(GroupBatch::new(room, body, except, target.packed > 0));
        self.pending_bytes += len;
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
        for mut entry in pending.drain(..) {
            if let Some(room) = self.rooms.get_mut(entry.room as usize) {
                room.pending = None;
            }
            let chunks = entry.chunks();
            let len = entry.len();
            let taken = self.give(entry.room, &chunks, &entry.except);
            // What goes to everybody was counted when it came: it may have been joined with others since.
            if !entry.except.is_empty()
                && let Some(body) = entry.single()
            {
                self.tally.count(body.message_type(), taken, len * taken);
            }
        }
        self.pending = pending;
    }

    /// Gives chunks to the members of a room; returns how many took theirs.
    fn give(&mut self, number: u32, chunks: &GroupChunks, except: &Except) -> usize {
        let Some(room) = self.rooms.get_mut(number as usize) else { return 0 };
        let everybody = except.is_empty();
        let urgent = room.members.len() <= SMALL_GROUP;
        // The members are taken out for the walk: delivering needs the names of the rooms.
        let members = std::mem::take(&mut room.members);
        let mut context = DeliveryContext { shard: &self.shard, rooms: &self.rooms, tally: &mut self.tally };
        let mut taken = 0;
        for occupant in &members {
            let Some(seat) = self.seats.get_mut(occupant.seat as usize) else { continue };
            if !everybody && except.covers(seat.connection.id(), seat.connection.user_id()) {
                continue;
            }
            match chunks.of(seat.codec()) {
                Some(chunk) => taken += usize::from(seat.deliver(chunk.clone(), occupant.seat, &mut context)),
                // It came from outside and cannot be said in this codec.
                None => seat.miss(Affected::All, LossReason::Backend),
            }
            if seat.owes() {
                self.owed.push(SlotId { index: occupant.seat, serial: seat.connection.id().serial });
            }
            let urgent = urgent || seat.heard;
            self.turns.queue(seat, occupant.seat, urgent);
        }
        if let Some(room) = self.rooms.get_mut(number as usize) {
            room.members = members;
        }
        taken
    }

    /// Gives a message to one connection, in its codec; true when its outbox took it.
    fn send_body(&mut self, member: SlotId, body: &EncodedMessage) -> bool {
        let Some(codec) = self.seat(member).map(|seat| seat.codec()) else { return false };
        match body.frame(codec) {
            Some(frame) => self.send_frame(member, frame.clone(), body.overflow().clone()),
            None => {
                self.miss(&[member.index], &Affected::All, LossReason::Backend);
                false
            }
        }
    }

    /// Gives a frame to one connection; true when its outbox took it.
    pub(super) fn send_frame(&mut self, member: SlotId, frame: Bytes, overflow: Overflow) -> bool {
        self.settle();
        let chunk = Chunk { bytes: frame, frames: 1, room: None, overflow };
        let Some(codec) = self.seat(member).map(|seat| seat.codec()) else { return false };
        let counted = self.tally.place_of(type_of(codec, &chunk.bytes));
        let mut context = DeliveryContext { shard: &self.shard, rooms: &self.rooms, tally: &mut self.tally };
        let Some(seat) = self.seats.get_mut(member.index as usize) else { return false };
        // Handed over, not shared: a message to one connection has no second owner to be counted.
        let bytes = chunk.bytes.len();
        let taken = seat.deliver(chunk, member.index, &mut context);
        if taken {
            self.tally.count_at(counted, 1, bytes);
        }
        if seat.owes() {
            self.owed.push(member);
        }
        self.turns.queue(seat, member.index, true);
        taken
    }

    /// Gives a message to the members of a room now; returns how many took it.
    fn publish_now(&mut self, room: u32, body: Arc<EncodedMessage>, except: Except) -> usize {
        self.settle();
        let packs = self.rooms.get(room as usize).is_some_and(|room| room.packed > 0);
        let mut pending = GroupBatch::new(room, body, except, packs);
        let chunks = pending.chunks();
        let taken = self.give(room, &chunks, &pending.except);
        if let Some(body) = pending.single() {
            self.tally.count(body.message_type(), taken, pending.len() * taken);
        }
        taken
    }

    /// Notes that connections may have missed something; each is told once of all its groups, as soon as that may be.
    pub(super) fn resync(&mut self, gaps: Affected, cause: LossReason) {
        self.settle();
        match gaps {
            Affected::All => {
                let seats: Vec<_> = self.seats.iter().map(|(at, _)| index(at)).collect();
                self.miss(&seats, &Affected::All, cause);
            }
            Affected::Groups(groups) => {
                for group in groups {
                    let room = self.names.get(&group).and_then(|room| self.rooms.get(*room as usize));
                    let members = room.iter().flat_map(|room| &room.members);
                    let seats: Vec<_> = members.map(|occupant| occupant.seat).collect();
                    self.miss(&seats, &Affected::Groups(vec![group]), cause);
                }
            }
        }
        self.pay();
    }

    /// Notes that one connection may have missed something.
    pub(super) fn miss_alone(&mut self, member: SlotId, gaps: &Affected, cause: LossReason) {
        if self.seat(member).is_some() {
            self.settle();
            self.miss(&[member.index], gaps, cause);
            self.pay();
        }
    }

    fn miss(&mut self, seats: &[u32], gaps: &Affected, cause: LossReason) {
        for at in seats {
            if let Some(seat) = self.seats.get_mut(*at as usize) {
                seat.miss(gaps.clone(), cause);
                self.owed.push(SlotId { index: *at, serial: seat.connection.id().serial });
            }
        }
    }
}
