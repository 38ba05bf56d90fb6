//! The order in which the slots of a shard are flushed.

use std::collections::VecDeque;

use slab::Slab;

use super::slot::{Priority, Slot};

/// The slots that have something to write, by priority, so that a message to 50,000 members does not delay a group of
/// five.
#[derive(Debug, Default)]
pub(super) struct FlushQueue {
    urgent: VecDeque<u32>,
    /// A slot that became urgent leaves a stale entry here.
    bulk: VecDeque<u32>,
}

impl FlushQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.bulk.is_empty()
    }

    /// Queues a slot, unless it is queued with the same or a higher priority.
    pub(super) fn push(&mut self, slot: &mut Slot, index: u32, priority: Priority) {
        match (slot.queued, priority) {
            (None | Some(Priority::Bulk), Priority::Urgent) => self.urgent.push_back(index),
            (None, Priority::Bulk) => self.bulk.push_back(index),
            _ => return,
        }
        slot.queued = Some(priority);
    }

    /// Takes up to `max` slots from each queue, the urgent ones first, and calls `flush` for each.
    pub(super) fn take(&mut self, slots: &mut Slab<Slot>, max: usize, mut flush: impl FnMut(&mut Slot, u32)) {
        for (queue, priority) in [(&mut self.urgent, Priority::Urgent), (&mut self.bulk, Priority::Bulk)] {
            let mut taken = 0;
            while taken < max {
                let Some(index) = queue.pop_front() else { break };
                let slot = slots.get_mut(index as usize).filter(|slot| slot.queued == Some(priority));
                // Stale entries do not count towards `max`, or they would pile up.
                let Some(slot) = slot else { continue };
                slot.queued = None;
                slot.active = false;
                flush(slot, index);
                taken += 1;
            }
        }
    }
}
