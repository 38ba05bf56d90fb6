//! From outboxes to sockets, and what is heard of them.

use bytes::Bytes;
use tokio::time::Instant;

use super::SlotId;
use super::resync::Resync;
use super::slot::{Blocked, SlotPhase};
use super::state::ShardState;
use crate::error::{CloseReason, Error};
use crate::registry::{Closing, Connection};
use crate::wire::ping_frame;

impl ShardState {
    /// Notes that something was read from a connection: it is written before the bulk of big groups. Who speaks hears
    /// back soon and speaks again, and those not yet reached get more frames per system call.
    pub(super) fn mark_active(&mut self, member: SlotId) {
        let now = self.wheel.now();
        if let Some(seat) = self.seat(member) {
            seat.heard = true;
            seat.heard_at = now;
        }
    }

    /// Nothing is read from a connection while its handler runs, or again something may be: that silence is ours.
    pub(super) fn pause_heartbeat(&mut self, member: SlotId, held: bool) {
        let now = self.wheel.now();
        if let Some(seat) = self.seat(member) {
            seat.held = held;
            seat.heard_at = now;
        }
    }

    /// The timer rang: pings the connections whose turn it is, and gives up those of which nothing was heard.
    pub(super) fn tick(&mut self) {
        let mut members = self.wheel.turn();
        members.retain(|member| {
            let Some(seat) = self.seats.get_mut(member.index as usize) else { return false };
            if seat.connection.id().serial != member.serial {
                return false;
            }
            if seat.phase != SlotPhase::Open {
                return true;
            }
            if seat.held {
                seat.heard_at = self.wheel.now();
            }
            if self.wheel.is_gone(seat.heard_at) {
                self.tally.reaped += 1;
                seat.give_up(Closing::Frame(CloseReason::of(&Error::heartbeat_lost())));
            } else if matches!(seat.blocked, Blocked::No) {
                // A blocked socket has enough to do; whether it takes something is watched already.
                seat.outbox.push_own(ping_frame());
            }
            self.turns.queue(seat, member.index, true);
            true
        });
        self.wheel.put_back(members);
        self.pay();
    }

    /// Tells connections that they have missed something, those that may be told now.
    pub(super) fn pay(&mut self) {
        if self.owed.is_empty() {
            return;
        }
        let mut owed = std::mem::take(&mut self.owed);
        owed.sort_unstable_by_key(|member| member.serial);
        owed.dedup();
        owed.retain(|member| {
            let Some(seat) = self.seats.get_mut(member.index as usize) else { return false };
            if seat.connection.id().serial != member.serial {
                return false;
            }
            if let Some(resync) = seat.owed(Instant::now) {
                if let Ok(frame) = seat.codec().encode(Resync::TYPE, None, Some(&resync)) {
                    seat.outbox.push_own(frame.into_bytes());
                }
                self.turns.queue(seat, member.index, true);
            }
            seat.owes()
        });
        self.owed = owed;
    }

    pub(super) fn pong(&mut self, member: SlotId, frame: Bytes) {
        let Some(seat) = self.seats.get_mut(member.index as usize) else { return };
        if seat.connection.id().serial == member.serial && seat.phase == SlotPhase::Open {
            seat.pong = Some(frame);
            self.turns.queue(seat, member.index, true);
        }
    }

    pub(super) fn finish(&mut self, member: SlotId, last: Option<Bytes>) {
        self.settle();
        let Some(seat) = self.seats.get_mut(member.index as usize) else { return };
        if seat.connection.id().serial != member.serial || seat.phase == SlotPhase::Finishing {
            return;
        }
        seat.phase = SlotPhase::Finishing;
        let pong = seat.pong.take();
        match last {
            // Nothing follows a close frame (RFC 6455 5.5.1), not even the pong that waits.
            Some(last) => pong.into_iter().chain([last]).for_each(|frame| seat.outbox.push_own(frame)),
            // Without a last frame the socket is dead, and what waits with it.
            None => seat.outbox.clear(),
        }
        self.turns.queue(seat, member.index, true);
    }

    pub(super) fn ready(&mut self, member: SlotId, result: Result<(), Closing>) {
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

    pub(super) fn for_each(&self, act: impl Fn(&Connection)) {
        self.seats.iter().for_each(|(_, seat)| act(&seat.connection));
    }

    /// Writes up to `slice` connections of each kind.
    pub(super) fn flush(&mut self, slice: usize) {
        self.turns.take(&mut self.seats, slice, |seat, at| seat.flush(&self.shard, at));
        self.pay();
    }
}
