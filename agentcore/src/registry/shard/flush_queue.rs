//! Which connections of a shard are written next.

use std::collections::VecDeque;

use slab::Slab;

use super::slot::Slot;

/// Which turn a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Priority {
    No,
    Bulk,
    Urgent,
}

/// The connections that have something to be written, in two queues: a message to 50,000 does not delay a room of five.
#[derive(Debug, Default)]
pub(super) struct FlushQueue {
    /// Connections with direct messages or messages of small groups.
    urgent: VecDeque<u32>,
    /// Connections with messages of big groups only. A seat that became urgent leaves a stale entry here.
    bulk: VecDeque<u32>,
}

impl FlushQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.bulk.is_empty()
    }

    /// Gives a seat a turn, unless it has one that is as early.
    pub(super) fn queue(&mut self, seat: &mut Slot, at: u32, urgent: bool) {
        match (seat.queued, urgent) {
            (Priority::No | Priority::Bulk, true) => {
                seat.queued = Priority::Urgent;
                self.urgent.push_back(at);
            }
            (Priority::No, false) => {
                seat.queued = Priority::Bulk;
                self.bulk.push_back(at);
            }
            _ => {}
        }
    }

    /// Takes up to `slice` seats from each queue, the urgent ones first; `write` is called for each.
    pub(super) fn take(&mut self, seats: &mut Slab<Slot>, slice: usize, mut write: impl FnMut(&mut Slot, u32)) {
        for (queue, from) in [(&mut self.urgent, Priority::Urgent), (&mut self.bulk, Priority::Bulk)] {
            let mut taken = 0;
            while taken < slice {
                let Some(at) = queue.pop_front() else { break };
                // Stale entries cost nothing of the slice, or they would pile up.
                let Some(seat) = seats.get_mut(at as usize).filter(|seat| seat.queued == from) else { continue };
                seat.queued = Priority::No;
                seat.heard = false;
                write(seat, at);
                taken += 1;
            }
        }
    }
}
