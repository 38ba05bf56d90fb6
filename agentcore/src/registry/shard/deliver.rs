//! Delivery: messages enter outboxes.

use std::sync::Arc;

use bytes::Bytes;

use super::batch::{GroupBatch, GroupChunks};
use super::command::{Receipt, SlotId, Target};
use super::context::DeliveryContext;
use super::group::EVERYONE;
use super::outbox::Chunk;
use super::resync::{Affected, LossReason};
use super::slot::{Priority, Slot};
use super::state::ShardState;
use crate::message::{Codec, EncodedMessage, Except, Overflow, type_of};

/// Largest number of members of a group whose messages are urgent: they are flushed before those of larger groups.
const SMALL_GROUP: usize = 64;
/// Size of all batches in bytes above which they are delivered at once.
const MAX_BATCHED: usize = 256 * 1024;

impl ShardState {
    /// Delivers a message, to a group with its next batch. With a receipt it is delivered at once, because the sender
    /// waits for the number of connections that took it.
    pub(super) fn send(
        &mut self,
        to: &Target,
        message: Arc<EncodedMessage>,
        except: Except,
        receipt: Option<&Receipt>,
    ) {
        let group = match to {
            Target::Group(name) => self.names.get(name).copied(),
            Target::Everyone => Some(EVERYONE),
            Target::Slot(id) => {
                let taken = self.send_message(*id, &message);
                if let Some(receipt) = receipt {
                    receipt.report(usize::from(taken));
                }
                return;
            }
        };
        let Some(group) = group else { return };
        match receipt {
            None => self.add_to_batch(group, message, except),
            Some(receipt) => receipt.report(self.deliver_now(group, message, except)),
        }
    }

    /// Sends a frame to one connection; true if its outbox took it.
    pub(super) fn send_frame(&mut self, id: SlotId, frame: Bytes, overflow: Overflow) -> bool {
        self.deliver_batches();
        let Some(slot) = Slot::find(&mut self.slots, id) else { return false };
        let message_type = self.stats.type_index(type_of(slot.codec(), &frame));
        let mut context = DeliveryContext { waiter: &self.waiter, groups: &self.groups, stats: &mut self.stats };
        let bytes = frame.len();
        let taken = slot.deliver(Chunk { bytes: frame, frames: 1, group: None, overflow }, id.index, &mut context);
        if taken {
            self.stats.count_at(message_type, 1, bytes);
        }
        if slot.needs_resync() {
            self.due_resync.push(id);
        }
        self.flush_queue.push(slot, id.index, Priority::Urgent);
        taken
    }

    /// Delivers all batches to the members. It runs before every change of members and every direct message, so that
    /// joins, leaves, direct messages and group messages of one sender keep their order.
    pub(super) fn deliver_batches(&mut self) {
        if self.batches.is_empty() {
            return;
        }
        self.batched_bytes = 0;
        let mut batches = std::mem::take(&mut self.batches);
        for mut batch in batches.drain(..) {
            if let Some(group) = self.groups.get_mut(batch.group as usize) {
                group.batch = None;
            }
            let chunks = batch.take_chunks();
            let taken = self.deliver_chunks(batch.group, &chunks, &batch.except);
            // Messages to all members were counted by type when they entered the batch.
            if !batch.except.is_empty()
                && let Some(message) = batch.single()
            {
                self.stats.count(message.message_type(), taken, batch.len() * taken);
            }
        }
        self.batches = batches;
    }

    fn add_to_batch(&mut self, index: u32, message: Arc<EncodedMessage>, except: Except) {
        let Some(group) = self.groups.get_mut(index as usize) else { return };
        let members = group.members.len();
        let message_type = message.message_type();
        let last = group.batch.and_then(|at| self.batches.get_mut(at));
        match last.and_then(|batch| batch.append(&message, &except, self.settings.outbox.max_bytes)) {
            Some(added) => {
                self.stats.count(message_type, members, added * members);
                self.batched_bytes += added;
            }
            None => {
                let len = message.frame(Codec::Json).map_or(0, Bytes::len);
                if except.is_empty() {
                    self.stats.count(message_type, members, len * members);
                }
                group.batch = Some(self.batches.len());
                self.batches.push(GroupBatch::new(index, message, except, group.msgpack_members > 0));
                self.batched_bytes += len;
            }
        }
        if self.batched_bytes > MAX_BATCHED {
            self.deliver_batches();
        }
    }

    /// Delivers a message to the members of a group at once; returns how many took it.
    fn deliver_now(&mut self, group: u32, message: Arc<EncodedMessage>, except: Except) -> usize {
        self.deliver_batches();
        let has_msgpack_members = self.groups.get(group as usize).is_some_and(|group| group.msgpack_members > 0);
        let mut batch = GroupBatch::new(group, message, except, has_msgpack_members);
        let chunks = batch.take_chunks();
        let taken = self.deliver_chunks(group, &chunks, &batch.except);
        if let Some(message) = batch.single() {
            self.stats.count(message.message_type(), taken, batch.len() * taken);
        }
        taken
    }

    /// Delivers chunks to the members of a group; returns how many took theirs.
    fn deliver_chunks(&mut self, index: u32, chunks: &GroupChunks, except: &Except) -> usize {
        let Some(group) = self.groups.get_mut(index as usize) else { return 0 };
        let to_all = except.is_empty();
        let is_small = group.members.len() <= SMALL_GROUP;
        // Taken out because a delivery reads the names of the groups.
        let members = std::mem::take(&mut group.members);
        let mut context = DeliveryContext { waiter: &self.waiter, groups: &self.groups, stats: &mut self.stats };
        let mut taken = 0;
        for member in &members {
            let Some(slot) = self.slots.get_mut(member.slot as usize) else { continue };
            if !to_all && except.covers(slot.handle.id(), slot.handle.user_id()) {
                continue;
            }
            match chunks.get(slot.codec()) {
                Some(chunk) => taken += usize::from(slot.deliver(chunk.clone(), member.slot, &mut context)),
                // An external message that cannot be represented in this codec.
                None => slot.record_loss(Affected::All, LossReason::Backend),
            }
            if slot.needs_resync() {
                self.due_resync.push(slot.id(member.slot));
            }
            let priority = if is_small || slot.active { Priority::Urgent } else { Priority::Bulk };
            self.flush_queue.push(slot, member.slot, priority);
        }
        if let Some(group) = self.groups.get_mut(index as usize) {
            group.members = members;
        }
        taken
    }

    /// Sends a message to one connection, in its codec; true if its outbox took it.
    fn send_message(&mut self, id: SlotId, message: &EncodedMessage) -> bool {
        let Some(slot) = Slot::find(&mut self.slots, id) else { return false };
        match message.frame(slot.codec()) {
            Some(frame) => self.send_frame(id, frame.clone(), message.overflow().clone()),
            None => {
                slot.record_loss(Affected::All, LossReason::Backend);
                self.due_resync.push(id);
                false
            }
        }
    }
}
