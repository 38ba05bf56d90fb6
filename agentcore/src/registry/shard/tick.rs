//! Heartbeat: pings, and connections that are silent for too long.

use super::command::SlotId;
use super::slot::{Blocked, Priority, Slot, SlotPhase};
use super::state::ShardState;
use crate::error::{CloseReason, Error};
use crate::registry::Closing;
use crate::wire::ping_frame;

impl ShardState {
    /// Records that data was read from a connection. Its slot is flushed before messages of large groups: an active
    /// client gets its answers early, and the other members get more frames per system call.
    pub(super) fn mark_active(&mut self, id: SlotId) {
        let now = self.wheel.now();
        if let Some(slot) = self.slot(id) {
            slot.active = true;
            slot.active_at = now;
        }
    }

    /// Records that a connection is not read while its handler runs, or is read again.
    pub(super) fn pause_heartbeat(&mut self, id: SlotId, paused: bool) {
        let now = self.wheel.now();
        if let Some(slot) = self.slot(id) {
            slot.paused = paused;
            slot.active_at = now;
        }
    }

    /// Pings the connections of the next bucket, and closes those that have timed out.
    pub(super) fn tick(&mut self) {
        let mut bucket = self.wheel.advance();
        bucket.retain(|id| {
            let Some(slot) = Slot::find(&mut self.slots, *id) else { return false };
            if slot.phase != SlotPhase::Open {
                return true;
            }
            if slot.paused {
                slot.active_at = self.wheel.now();
            }
            if self.wheel.has_timed_out(slot.active_at) {
                self.stats.reaped += 1;
                slot.abandon(Closing::Frame(CloseReason::of(&Error::heartbeat_lost())));
            } else if matches!(slot.blocked, Blocked::No) {
                // A blocked socket gets no ping: it could not be sent, and the write timeout watches the socket.
                slot.outbox.push_control(ping_frame());
            }
            self.flush_queue.push(slot, id.index, Priority::Urgent);
            true
        });
        self.wheel.put_back(bucket);
        self.send_resyncs();
    }
}
