//! Notification of clients that may have missed messages.

use tokio::time::Instant;

use super::command::SlotId;
use super::group::index;
use super::resync::{Affected, LossReason, ResyncMessage};
use super::slot::{Priority, Slot};
use super::state::ShardState;

impl ShardState {
    /// Records a loss for the members of groups, or for all connections. Each gets one resync for all its groups, as
    /// soon as it may be sent.
    pub(super) fn resync(&mut self, affected: Affected, reason: LossReason) {
        self.deliver_batches();
        match affected {
            Affected::All => {
                let slots: Vec<_> = self.slots.iter().map(|(at, _)| index(at)).collect();
                self.record_losses(&slots, &Affected::All, reason);
            }
            Affected::Groups(names) => {
                for name in names {
                    let group = self.names.get(&name).and_then(|group| self.groups.get(*group as usize));
                    let members = group.iter().flat_map(|group| &group.members);
                    let slots: Vec<_> = members.map(|member| member.slot).collect();
                    self.record_losses(&slots, &Affected::Groups(vec![name]), reason);
                }
            }
        }
        self.send_resyncs();
    }

    /// Records a loss for one connection.
    pub(super) fn resync_slot(&mut self, id: SlotId, affected: &Affected, reason: LossReason) {
        if self.slot(id).is_some() {
            self.deliver_batches();
            self.record_losses(&[id.index], affected, reason);
            self.send_resyncs();
        }
    }

    /// Sends the due resyncs, except to connections whose outbox has no room yet or whose last resync is too recent.
    pub(super) fn send_resyncs(&mut self) {
        if self.due_resync.is_empty() {
            return;
        }
        let mut due = std::mem::take(&mut self.due_resync);
        due.sort_unstable_by_key(|id| id.serial);
        due.dedup();
        due.retain(|id| {
            let Some(slot) = Slot::find(&mut self.slots, *id) else { return false };
            if let Some(resync) = slot.take_resync(Instant::now) {
                if let Ok(frame) = slot.codec().encode(ResyncMessage::TYPE, None, Some(&resync)) {
                    slot.outbox.push_control(frame.into_bytes());
                }
                self.flush_queue.push(slot, id.index, Priority::Urgent);
            }
            slot.needs_resync()
        });
        self.due_resync = due;
    }

    fn record_losses(&mut self, slots: &[u32], affected: &Affected, reason: LossReason) {
        for at in slots {
            if let Some(slot) = self.slots.get_mut(*at as usize) {
                slot.record_loss(affected.clone(), reason);
                self.due_resync.push(slot.id(*at));
            }
        }
    }
}
