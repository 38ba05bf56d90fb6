//! One connection in its shard: its outbox, its socket, and what was heard of it.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::context::DeliveryContext;
use super::flush_queue::Priority;
use super::outbox::{Chunk, Outbox, OutboxFull};
use super::resync::{Affected, LossReason, Resync, ResyncState};
use super::sink::{Sink, WriteOutcome};
use super::stats::SentCounts;
use super::{OutboxLimits, Shard, SlotId};
use crate::error::{CloseReason, Error};
use crate::message::Codec;
use crate::registry::{Closing, Connection};

/// One connection.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) connection: Arc<Connection>,
    pub(super) sink: Sink,
    pub(super) outbox: Outbox,
    /// The rooms it is in, and its position among their members.
    pub(super) rooms: Vec<SlotMembership>,
    pub(super) queued: Priority,
    /// Something was read from it since it was last written.
    pub(super) heard: bool,
    /// When something was read from it last, in ticks of the shard.
    pub(super) heard_at: u32,
    /// Nothing is read from it, because its handler runs: the silence is ours.
    pub(super) held: bool,
    pub(super) blocked: Blocked,
    /// A pong that waits for its turn: only the newest ping is answered (RFC 6455 5.5.3).
    pub(super) pong: Option<Bytes>,
    pub(super) phase: SlotPhase,
    /// What went into the outbox so far.
    pub(super) sent: SentCounts,
    /// What it may have missed, once it has.
    pub(super) missed: Option<Box<ResyncState>>,
}

/// A room that a seat is in, and its position among the members.
#[derive(Debug, Clone, Copy)]
pub(super) struct SlotMembership {
    pub(super) room: u32,
    pub(super) at: u32,
}

#[derive(Debug)]
pub(super) enum Blocked {
    No,
    /// A task waits until the socket is writable.
    Waiting(AbortHandle),
    /// The writer task of a stream has not finished its portion.
    Stream,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SlotPhase {
    Open,
    /// It was told to close; nothing is accepted but the last frame.
    Closing,
    /// The last frame is in the outbox; the connection wants to hear when it is written.
    Finishing,
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Blocked::Waiting(task) = &self.blocked {
            task.abort();
        }
    }
}

impl Slot {
    pub(super) fn new(connection: Arc<Connection>, sink: Sink, limits: OutboxLimits, now: u32) -> Self {
        Self {
            connection,
            sink,
            outbox: Outbox::new(limits.max_bytes),
            rooms: Vec::new(),
            queued: Priority::No,
            heard: false,
            heard_at: now,
            held: false,
            blocked: Blocked::No,
            pong: None,
            phase: SlotPhase::Open,
            sent: SentCounts::default(),
            missed: None,
        }
    }

    /// Appends a chunk; true when the outbox took it. Over the bound, a socket that was not tried yet is written first:
    /// only a reader that is really slow loses something or is disconnected.
    pub(super) fn deliver(&mut self, chunk: Chunk, at: u32, context: &mut DeliveryContext<'_>) -> bool {
        if self.phase != SlotPhase::Open {
            return false;
        }
        let (frames, bytes) = (chunk.frames as usize, chunk.bytes.len());
        if !self.outbox.fits(bytes) {
            self.flush(context.shard, at);
        }
        let missed = &mut self.missed;
        match self.outbox.offer(chunk, |lost| context.note(lost, missed)) {
            Ok(true) => {
                self.sent.add(frames, bytes);
                true
            }
            Ok(false) => false,
            Err(OutboxFull) => {
                context.tally.slow += 1;
                let error = Error::slow_consumer("the connection did not read fast enough");
                self.give_up(Closing::Frame(CloseReason::of(&error)));
                false
            }
        }
    }

    /// Notes that something may be missing.
    pub(super) fn miss(&mut self, gaps: Affected, reason: LossReason) {
        if self.phase == SlotPhase::Open {
            self.missed.get_or_insert_with(|| Box::new(ResyncState::new())).note(gaps, reason);
        }
    }

    /// Drops what waits and tells the connection to close.
    pub(super) fn give_up(&mut self, closing: Closing) {
        self.outbox.clear();
        self.pong = None;
        if self.phase == SlotPhase::Open {
            self.phase = SlotPhase::Closing;
        }
        if self.phase == SlotPhase::Finishing {
            self.connection.drained();
        }
        self.connection.close(closing);
    }

    /// The format it speaks.
    pub(super) fn codec(&self) -> Codec {
        self.connection.codec()
    }

    /// Whether it has missed something that it was not told.
    pub(super) fn owes(&self) -> bool {
        self.phase == SlotPhase::Open && self.missed.as_ref().is_some_and(|missed| missed.is_open())
    }

    /// What it has missed, when it is to be told now: there is room again, and the last time is long enough ago.
    pub(super) fn owed(&mut self, now: impl FnOnce() -> Instant) -> Option<Resync> {
        if !self.owes() || !self.outbox.has_room() {
            return None;
        }
        self.missed.as_mut()?.take(now())
    }

    pub(super) fn flush(&mut self, shard: &Weak<Shard>, at: u32) {
        if !matches!(self.blocked, Blocked::No) {
            return;
        }
        if let Some(pong) = self.pong.take() {
            self.outbox.push_own(pong);
        }
        match self.sink.write(&mut self.outbox) {
            WriteOutcome::All => {
                if self.phase == SlotPhase::Finishing {
                    self.connection.drained();
                }
            }
            WriteOutcome::Blocked => self.block(shard, at),
            WriteOutcome::Lost => self.give_up(Closing::Lost),
        }
    }

    /// Waits, beside the shard, until the socket takes more; the rest of the group never waits for it.
    fn block(&mut self, shard: &Weak<Shard>, at: u32) {
        let Sink::Tcp(socket) = &self.sink else {
            self.blocked = Blocked::Stream;
            return;
        };
        let Some(shard) = shard.upgrade() else { return };
        let Some(runtime) = shard.runtime().cloned() else { return };
        let (socket, member) = (socket.clone(), SlotId { index: at, serial: self.connection.id().serial });
        let patience = shard.limits().write_timeout;
        let task = runtime.spawn(async move {
            let result = match tokio::time::timeout(patience, socket.writable()).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(Closing::Lost),
                Err(_) => Err(Closing::stalled()),
            };
            shard.ready(member, result);
        });
        self.blocked = Blocked::Waiting(task.abort_handle());
    }
}
