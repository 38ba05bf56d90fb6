//! Writing: outboxes, pongs and last frames go to sockets.

use bytes::Bytes;

use super::command::SlotId;
use super::slot::{Blocked, Priority, Slot, SlotPhase};
use super::state::ShardState;
use super::write_waiter::WriteFailure;
use crate::registry::Closing;

impl ShardState {
    /// Flushes up to `max` slots of each priority.
    pub(super) fn flush(&mut self, max: usize) {
        self.flush_queue.take(&mut self.slots, max, |slot, index| slot.flush(&self.waiter, index));
        self.send_resyncs();
    }

    /// Answers a ping. A newer pong replaces one that is not sent yet.
    pub(super) fn pong(&mut self, id: SlotId, frame: Bytes) {
        if let Some(slot) = Slot::find(&mut self.slots, id)
            && slot.phase == SlotPhase::Open
        {
            slot.pong = Some(frame);
            self.flush_queue.push(slot, id.index, Priority::Urgent);
        }
    }

    /// Appends the last frame. Without one the socket is dead, and the outbox is dropped.
    pub(super) fn finish(&mut self, id: SlotId, last: Option<Bytes>) {
        self.deliver_batches();
        let Some(slot) = Slot::find(&mut self.slots, id) else { return };
        if slot.phase == SlotPhase::Finishing {
            return;
        }
        slot.phase = SlotPhase::Finishing;
        let pong = slot.pong.take();
        match last {
            // The pong goes first: nothing may follow a close frame (RFC 6455 5.5.1).
            Some(last) => pong.into_iter().chain([last]).for_each(|frame| slot.outbox.push_control(frame)),
            None => slot.outbox.clear(),
        }
        self.flush_queue.push(slot, id.index, Priority::Urgent);
    }

    /// The sink of a slot takes bytes again, or has failed.
    pub(super) fn write_ready(&mut self, id: SlotId, result: Result<(), WriteFailure>) {
        let Some(slot) = Slot::find(&mut self.slots, id) else { return };
        slot.blocked = Blocked::No;
        match result {
            Ok(()) => {}
            Err(WriteFailure::TimedOut) => {
                slot.abandon_slow("the client took no data within the write timeout", &mut self.stats);
            }
            Err(WriteFailure::Lost) => slot.abandon(Closing::Lost),
        }
        self.flush_queue.push(slot, id.index, Priority::Urgent);
    }
}
