//! The part of a shard that belongs to one connection. [`Slot::deliver`] decides that the outbox of a client is full.

use std::sync::Arc;

use bytes::Bytes;
use slab::Slab;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::command::SlotId;
use super::context::DeliveryContext;
use super::outbox::{Chunk, Outbox, OutboxFull};
use super::resync::{Affected, LossReason, ResyncMessage, ResyncState};
use super::sink::{Sink, WriteOutcome};
use super::stats::{SentCounts, ShardStats};
use super::write_waiter::WriteWaiter;
use crate::error::{CloseReason, Error};
use crate::message::Codec;
use crate::registry::{Closing, ConnectionHandle};

/// A connection's outbox, its socket and its memberships.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) handle: Arc<ConnectionHandle>,
    pub(super) sink: Sink,
    pub(super) outbox: Outbox,
    pub(super) memberships: Vec<SlotMembership>,
    /// The flush queue that the slot waits in.
    pub(super) queued: Option<Priority>,
    /// Data was read from the connection since the slot was last flushed.
    pub(super) active: bool,
    /// Time at which data was last read from the connection, in ticks of the shard.
    pub(super) active_at: u32,
    /// The connection is not read because its handler runs, so its silence does not count.
    pub(super) paused: bool,
    pub(super) blocked: Blocked,
    /// The pong that is sent next. Only the newest ping is answered (RFC 6455 5.5.3).
    pub(super) pong: Option<Bytes>,
    pub(super) phase: SlotPhase,
    /// Messages that entered the outbox.
    pub(super) sent: SentCounts,
    /// `None` until the connection may have missed a message.
    pub(super) resync: Option<Box<ResyncState>>,
}

/// A group that a slot is in.
#[derive(Debug, Clone, Copy)]
pub(super) struct SlotMembership {
    pub(super) group: u32,
    /// Index of the slot among the members of the group.
    pub(super) position: u32,
}

/// The order in which slots are flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Priority {
    /// Only messages of large groups.
    Bulk,
    /// Direct messages, or messages of small groups.
    Urgent,
}

/// Whether the sink of a slot takes bytes.
#[derive(Debug)]
pub(super) enum Blocked {
    No,
    /// A task waits until the socket is writable.
    Socket(AbortHandle),
    /// The writer task of a stream has not finished its portion.
    Stream,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SlotPhase {
    Open,
    /// The connection was asked to close; only the last frame is accepted.
    Closing,
    /// The last frame is in the outbox; the connection's task waits until it is written.
    Finishing,
}

impl Slot {
    pub(super) fn new(handle: Arc<ConnectionHandle>, sink: Sink, max_bytes: usize, now: u32) -> Self {
        Self {
            handle,
            sink,
            outbox: Outbox::new(max_bytes),
            memberships: Vec::new(),
            queued: None,
            active: false,
            active_at: now,
            paused: false,
            blocked: Blocked::No,
            pong: None,
            phase: SlotPhase::Open,
            sent: SentCounts::default(),
            resync: None,
        }
    }

    /// The slot at `id`, unless another connection has it now.
    pub(super) fn find(slots: &mut Slab<Self>, id: SlotId) -> Option<&mut Self> {
        slots.get_mut(id.index as usize).filter(|slot| slot.handle.id().serial == id.serial)
    }

    pub(super) fn id(&self, index: u32) -> SlotId {
        SlotId { index, serial: self.handle.id().serial }
    }

    pub(super) fn codec(&self) -> Codec {
        self.handle.codec()
    }

    /// Appends a chunk; true if the outbox took it. If the chunk does not fit, the socket is written first, so that
    /// only a slow client misses messages. A message that still does not fit and must not be dropped closes the
    /// connection with `SLOW_CONSUMER` (1013).
    pub(super) fn deliver(&mut self, chunk: Chunk, index: u32, context: &mut DeliveryContext<'_>) -> bool {
        if self.phase != SlotPhase::Open {
            return false;
        }
        let (frames, bytes) = (chunk.frames as usize, chunk.bytes.len());
        if !self.outbox.fits(bytes) {
            self.flush(context.waiter, index);
        }
        let resync = &mut self.resync;
        match self.outbox.offer(chunk, |discarded| context.record_discarded(discarded, resync)) {
            Ok(true) => {
                self.sent.add(frames, bytes);
                true
            }
            Ok(false) => false,
            Err(OutboxFull) => {
                self.abandon_slow("the client did not read fast enough", context.stats);
                false
            }
        }
    }

    /// Records that the connection may have missed messages.
    pub(super) fn record_loss(&mut self, affected: Affected, reason: LossReason) {
        if self.phase == SlotPhase::Open {
            self.resync.get_or_insert_default().record(affected, reason);
        }
    }

    /// Whether a loss is recorded of which the client was not notified yet.
    pub(super) fn needs_resync(&self) -> bool {
        self.phase == SlotPhase::Open && self.resync.as_ref().is_some_and(|resync| resync.is_pending())
    }

    /// Takes the resync to send now: the outbox has room again, and the previous one is long enough ago.
    pub(super) fn take_resync(&mut self, now: impl FnOnce() -> Instant) -> Option<ResyncMessage> {
        if !self.needs_resync() || !self.outbox.has_room() {
            return None;
        }
        self.resync.as_mut()?.take(now())
    }

    /// Drops the outbox and asks the connection to close.
    pub(super) fn abandon(&mut self, closing: Closing) {
        self.outbox.clear();
        self.pong = None;
        if self.phase == SlotPhase::Open {
            self.phase = SlotPhase::Closing;
        }
        if self.phase == SlotPhase::Finishing {
            self.handle.set_flushed();
        }
        self.handle.close(closing);
    }

    /// Closes the connection with `SLOW_CONSUMER` (1013), and counts it unless it is closing already.
    pub(super) fn abandon_slow(&mut self, reason: &'static str, stats: &mut ShardStats) {
        if self.phase == SlotPhase::Open {
            stats.slow += 1;
        }
        self.abandon(Closing::Frame(CloseReason::of(&Error::slow_consumer(reason))));
    }

    /// Writes the outbox, as far as the sink takes it.
    pub(super) fn flush(&mut self, waiter: &WriteWaiter, index: u32) {
        if !matches!(self.blocked, Blocked::No) {
            return;
        }
        if let Some(pong) = self.pong.take() {
            self.outbox.push_control(pong);
        }
        match self.sink.write(&mut self.outbox) {
            WriteOutcome::Complete => {
                if self.phase == SlotPhase::Finishing {
                    self.handle.set_flushed();
                }
            }
            WriteOutcome::Blocked => self.block(waiter, index),
            WriteOutcome::Lost => self.abandon(Closing::Lost),
        }
    }

    fn block(&mut self, waiter: &WriteWaiter, index: u32) {
        let Sink::Tcp(socket) = &self.sink else {
            self.blocked = Blocked::Stream;
            return;
        };
        if let Some(task) = waiter.wait(socket.clone(), self.id(index)) {
            self.blocked = Blocked::Socket(task);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Blocked::Socket(task) = &self.blocked {
            task.abort();
        }
    }
}
