//! One connection in its shard: its outbox, its socket, and its turn to be written.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use slab::Slab;
use tokio::task::AbortHandle;

use super::shard::{Member, OutboxLimits, Shard};
use super::sink::Written;
use super::{Closing, Connection, Outbox, Sink};
use crate::error::{CloseReason, Error};

/// One connection.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) connection: Arc<Connection>,
    pub(super) sink: Sink,
    pub(super) outbox: Outbox,
    /// The rooms it is in, and its position among their members.
    pub(super) rooms: Vec<Place>,
    pub(super) queued: Queued,
    /// Something was read from it since it was last written.
    pub(super) heard: bool,
    pub(super) blocked: Blocked,
    /// A pong that waits for its turn: only the newest ping is answered (RFC 6455 5.5.3).
    pub(super) pong: Option<Bytes>,
    pub(super) phase: Phase,
}

/// A room that a seat is in, and its position among the members.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) room: u32,
    pub(super) at: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Queued {
    No,
    Bulk,
    Urgent,
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
pub(super) enum Phase {
    Open,
    /// It was told to close; nothing is accepted but the last frame.
    Closing,
    /// The last frame is in the outbox; the connection wants to hear when it is written.
    Finishing,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Blocked::Waiting(task) = &self.blocked {
            task.abort();
        }
    }
}

impl Seat {
    pub(super) fn new(connection: Arc<Connection>, sink: Sink, limits: OutboxLimits) -> Self {
        Self {
            connection,
            sink,
            outbox: Outbox::new(limits.max_bytes),
            rooms: Vec::new(),
            queued: Queued::No,
            heard: false,
            blocked: Blocked::No,
            pong: None,
            phase: Phase::Open,
        }
    }

    /// Appends a chunk. Over the bound, a socket that was not tried yet is written first: only a reader that is
    /// really slow is disconnected.
    pub(super) fn deliver(&mut self, chunk: &Bytes, shard: &Weak<Shard>, at: u32) {
        if self.phase != Phase::Open {
            return;
        }
        if !self.outbox.fits(chunk.len()) {
            self.flush(shard, at);
        }
        if self.outbox.fits(chunk.len()) {
            self.outbox.push(chunk.clone());
        } else {
            let error = Error::slow_consumer("the connection did not read fast enough");
            self.give_up(Closing::Frame(CloseReason::of(&error)));
        }
    }

    /// Drops what waits and tells the connection to close.
    pub(super) fn give_up(&mut self, closing: Closing) {
        self.outbox.clear();
        self.pong = None;
        if self.phase == Phase::Open {
            self.phase = Phase::Closing;
        }
        if self.phase == Phase::Finishing {
            self.connection.drained();
        }
        self.connection.close(closing);
    }

    pub(super) fn flush(&mut self, shard: &Weak<Shard>, at: u32) {
        if !matches!(self.blocked, Blocked::No) {
            return;
        }
        if let Some(pong) = self.pong.take() {
            self.outbox.push(pong);
        }
        match self.sink.write(&mut self.outbox) {
            Written::All => {
                if self.phase == Phase::Finishing {
                    self.connection.drained();
                }
            }
            Written::Blocked => self.block(shard, at),
            Written::Lost => self.give_up(Closing::Lost),
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
        let (socket, member) = (socket.clone(), Member { index: at, serial: self.connection.id().serial });
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

/// The connections that have something to be written, in two queues: a message to 50,000 does not delay a room of five.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Connections with direct messages or messages of small groups.
    urgent: VecDeque<u32>,
    /// Connections with messages of big groups only. A seat that became urgent leaves a stale entry here.
    bulk: VecDeque<u32>,
}

impl Turns {
    pub(super) fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.bulk.is_empty()
    }

    /// Gives a seat a turn, unless it has one that is as early.
    pub(super) fn queue(&mut self, seat: &mut Seat, at: u32, urgent: bool) {
        match (seat.queued, urgent) {
            (Queued::No | Queued::Bulk, true) => {
                seat.queued = Queued::Urgent;
                self.urgent.push_back(at);
            }
            (Queued::No, false) => {
                seat.queued = Queued::Bulk;
                self.bulk.push_back(at);
            }
            _ => {}
        }
    }

    /// Takes up to `slice` seats from each queue, the urgent ones first; `write` is called for each.
    pub(super) fn take(&mut self, seats: &mut Slab<Seat>, slice: usize, mut write: impl FnMut(&mut Seat, u32)) {
        for (queue, from) in [(&mut self.urgent, Queued::Urgent), (&mut self.bulk, Queued::Bulk)] {
            let mut taken = 0;
            while taken < slice {
                let Some(at) = queue.pop_front() else { break };
                // Stale entries cost nothing of the slice, or they would pile up.
                let Some(seat) = seats.get_mut(at as usize).filter(|seat| seat.queued == from) else { continue };
                seat.queued = Queued::No;
                seat.heard = false;
                write(seat, at);
                taken += 1;
            }
        }
    }
}
