//! The state behind the lock of a shard: its slots, groups and batches. The other files of this folder add its methods.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use slab::Slab;
use tokio::sync::mpsc;

use super::batch::GroupBatch;
use super::command::{Command, SlotId};
use super::flush_queue::FlushQueue;
use super::group::{EVERYONE, Group, index};
use super::outbox::OutboxLimits;
use super::sink::Sink;
use super::slot::Slot;
use super::stats::{SentCounts, ShardStats};
use super::write_waiter::WriteWaiter;
use crate::id::GroupName;
use crate::registry::ConnectionHandle;
use crate::registry::heartbeat::{Heartbeat, HeartbeatWheel};

/// Settings that all shards share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ShardSettings {
    pub(crate) outbox: OutboxLimits,
    /// `None` if heartbeats are switched off.
    pub(crate) heartbeat: Option<Heartbeat>,
}

#[derive(Debug)]
pub(super) struct ShardState {
    pub(super) settings: ShardSettings,
    /// Commands of other threads.
    pub(super) commands: mpsc::Receiver<Command>,
    /// The task that runs the shard, while it waits.
    pub(super) waker: Option<Waker>,
    pub(super) waiter: WriteWaiter,
    pub(super) slots: Slab<Slot>,
    pub(super) groups: Slab<Group>,
    /// Indexes into `groups`.
    pub(super) names: HashMap<GroupName, u32>,
    /// Group messages that are not in the outboxes yet.
    pub(super) batches: Vec<GroupBatch>,
    pub(super) batched_bytes: usize,
    pub(super) flush_queue: FlushQueue,
    pub(super) wheel: HeartbeatWheel<SlotId>,
    pub(super) stats: ShardStats,
    /// Connections that get a resync as soon as it may be sent.
    pub(super) due_resync: Vec<SlotId>,
}

impl ShardState {
    pub(super) fn new(settings: ShardSettings, commands: mpsc::Receiver<Command>, waiter: WriteWaiter) -> Self {
        let mut groups = Slab::new();
        groups.insert(Group::new(None));
        Self {
            settings,
            commands,
            waker: None,
            waiter,
            slots: Slab::new(),
            groups,
            names: HashMap::new(),
            batches: Vec::new(),
            batched_bytes: 0,
            flush_queue: FlushQueue::default(),
            wheel: HeartbeatWheel::new(settings.heartbeat),
            stats: ShardStats::default(),
            due_resync: Vec::new(),
        }
    }

    /// Whether the shard has batches to deliver or slots to flush.
    pub(super) fn has_work(&self) -> bool {
        !self.batches.is_empty() || !self.flush_queue.is_empty()
    }

    /// Applies the commands that other threads have queued.
    pub(super) fn catch_up(&mut self) {
        while let Ok(command) = self.commands.try_recv() {
            self.apply(command);
        }
    }

    pub(super) fn apply(&mut self, command: Command) {
        match command {
            Command::Join(id, group) => self.join(id, group),
            Command::Leave(id, group) => self.leave(id, &group),
            Command::Send(to, message, except, receipt) => self.send(&to, message, except, receipt.as_ref()),
            Command::SendFrame(id, frame, overflow) => {
                self.send_frame(id, frame, overflow);
            }
            Command::Resync(affected, reason) => self.resync(affected, reason),
            Command::ResyncSlot(id, affected, reason) => self.resync_slot(id, &affected, reason),
        }
    }

    /// Wakes the task that runs the shard if there is work.
    pub(super) fn wake(&mut self) {
        if self.has_work()
            && let Some(waker) = self.waker.take()
        {
            waker.wake();
        }
    }

    pub(super) fn open(&mut self, handle: Arc<ConnectionHandle>, sink: Sink) -> SlotId {
        // The new connection must not receive earlier messages to everyone.
        self.deliver_batches();
        let serial = handle.id().serial;
        let entry = self.slots.vacant_entry();
        let id = SlotId { index: index(entry.key()), serial };
        entry.insert(Slot::new(handle, sink, self.settings.outbox.max_bytes, self.wheel.now()));
        self.wheel.add(serial, id);
        self.add_member(id.index, EVERYONE);
        id
    }

    pub(super) fn remove(&mut self, id: SlotId) {
        self.leave_all(id);
        if self.slot(id).is_some() {
            self.slots.try_remove(id.index as usize);
        }
    }

    pub(super) fn slot(&mut self, id: SlotId) -> Option<&mut Slot> {
        Slot::find(&mut self.slots, id)
    }

    pub(super) fn for_each(&self, act: impl Fn(&ConnectionHandle)) {
        self.slots.iter().for_each(|(_, slot)| act(&slot.handle));
    }

    /// Messages that a connection was sent, and the time since data was last read from it.
    pub(super) fn activity(&mut self, id: SlotId) -> Option<(SentCounts, Duration)> {
        let slot = Slot::find(&mut self.slots, id)?;
        Some((slot.sent, self.wheel.elapsed(slot.active_at)))
    }

    pub(super) fn stats(&self) -> ShardStats {
        let outbox_bytes = self.slots.iter().map(|(_, slot)| slot.outbox.bytes() as u64).sum();
        let mut stats = self.stats.clone();
        stats.outbox_bytes = outbox_bytes;
        stats
    }
}
