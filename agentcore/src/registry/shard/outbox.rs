//! What waits to be written to one socket: bounded in bytes, in order.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

use crate::message::Overflow;

/// How many chunks one vectored write takes.
pub(crate) const MAX_SLICES: usize = 64;
/// Over this part of the bound, only the newest of the messages with one key waits.
const SOFT_PART: usize = 16;

/// The queue of one connection. GroupChunks are shared with the other members of a group, so its bytes are a bound on
/// what this connection keeps alive, not what it alone has allocated.
#[derive(Debug)]
pub(crate) struct Outbox {
    chunks: VecDeque<Chunk>,
    bytes: usize,
    max_bytes: usize,
    /// The front chunk is half written.
    cut: bool,
}

/// One or more whole frames that wait together.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    pub(crate) bytes: Bytes,
    pub(crate) frames: u32,
    /// The room it was sent to; a connection's own messages have none.
    pub(crate) room: Option<u32>,
    pub(crate) overflow: Overflow,
}

/// A chunk that was not, or is not any more, on its way.
#[derive(Debug)]
pub(crate) enum Discarded {
    /// There was no room.
    Dropped(Chunk),
    /// A newer one of its key took its place.
    Replaced(Chunk),
}

impl Outbox {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { chunks: VecDeque::new(), bytes: 0, max_bytes, cut: false }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// How many chunks wait.
    pub(crate) fn len(&self) -> usize {
        self.chunks.len()
    }

    /// How many bytes wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The chunk that is written next.
    pub(crate) fn first(&self) -> Option<&Bytes> {
        self.chunks.front().map(|chunk| &chunk.bytes)
    }

    /// Whether `len` more bytes stay within the bound; an empty outbox takes any single message.
    pub(crate) fn fits(&self, len: usize) -> bool {
        self.chunks.is_empty() || self.bytes.saturating_add(len) <= self.max_bytes
    }

    /// Whether at least half of the bound is free.
    pub(crate) fn has_room(&self) -> bool {
        self.bytes <= self.max_bytes / 2
    }

    /// Appends a chunk, or does what is to be done when there is no room; `lost` hears of each that is not sent. False when
    /// that is the chunk itself.
    ///
    /// # Errors
    /// There is no room for a chunk that must not be dropped.
    pub(crate) fn offer(&mut self, chunk: Chunk, mut lost: impl FnMut(Discarded)) -> Result<bool, OutboxFull> {
        if self.fits(chunk.bytes.len()) && self.bytes <= self.max_bytes / SOFT_PART {
            self.push(chunk);
            return Ok(true);
        }
        if let Overflow::Latest(_) = &chunk.overflow
            && let Some(older) = self.take_where(|other| other.room == chunk.room && other.overflow == chunk.overflow)
        {
            lost(Discarded::Replaced(older));
        }
        while !self.fits(chunk.bytes.len()) {
            let older = match chunk.overflow {
                Overflow::DropNewest => None,
                _ => self.take_where(|other| other.overflow != Overflow::Disconnect),
            };
            match older {
                Some(older) => lost(Discarded::Dropped(older)),
                None if chunk.overflow == Overflow::Disconnect => return Err(OutboxFull),
                None => {
                    lost(Discarded::Dropped(chunk));
                    return Ok(false);
                }
            }
        }
        self.push(chunk);
        Ok(true)
    }

    /// Takes out the oldest chunk for which `holds`, of which no byte was written.
    fn take_where(&mut self, holds: impl Fn(&Chunk) -> bool) -> Option<Chunk> {
        let begun = usize::from(self.cut);
        let at = self.chunks.iter().skip(begun).position(holds)? + begun;
        let chunk = self.chunks.remove(at)?;
        self.bytes -= chunk.bytes.len();
        Some(chunk)
    }

    /// Appends frames of the protocol itself, which have their own reserve: a close, a pong, a ping, a resync.
    pub(crate) fn push_own(&mut self, bytes: Bytes) {
        self.push(Chunk { bytes, frames: 1, room: None, overflow: Overflow::Disconnect });
    }

    fn push(&mut self, chunk: Chunk) {
        self.bytes += chunk.bytes.len();
        self.chunks.push_back(chunk);
    }

    /// Drops what has not begun to be written: a frame cut in two would make nonsense of what follows it.
    pub(crate) fn clear(&mut self) {
        self.chunks.truncate(usize::from(self.cut));
        self.bytes = self.chunks.iter().map(|chunk| chunk.bytes.len()).sum();
    }

    /// Fills `slices` from the front; returns how many.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slot, chunk) in slices.iter_mut().zip(&self.chunks) {
            *slot = IoSlice::new(&chunk.bytes);
            filled += 1;
        }
        filled
    }

    /// Removes `written` bytes from the front.
    pub(crate) fn advance(&mut self, mut written: usize) {
        self.bytes -= written.min(self.bytes);
        while let Some(Chunk { bytes: front, .. }) = self.chunks.front_mut() {
            if written < front.len() {
                self.cut |= written > 0;
                front.advance(written);
                break;
            }
            self.cut = false;
            written -= front.len();
            self.chunks.pop_front();
        }
        if self.chunks.is_empty() && self.chunks.capacity() > 8 {
            self.chunks = VecDeque::new();
        }
    }

    /// Takes chunks of at most `max` bytes off the front, at least one.
    pub(crate) fn take(&mut self, max: usize) -> Vec<Bytes> {
        let mut taken = Vec::new();
        let mut sum = 0;
        while let Some(front) = self.chunks.front() {
            if !taken.is_empty() && sum + front.bytes.len() > max {
                break;
            }
            sum += front.bytes.len();
            taken.extend(self.chunks.pop_front().map(|chunk| chunk.bytes));
        }
        self.bytes -= sum.min(self.bytes);
        taken
    }
}

/// There is no room for a chunk that must not be dropped.
#[derive(Debug)]
pub(crate) struct OutboxFull;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::OverflowKey;

    fn chunk(id: u8, len: usize, overflow: Overflow) -> Chunk {
        Chunk { bytes: vec![id; len].into(), frames: 1, room: Some(u32::from(id % 2)), overflow }
    }

    fn overflows() -> impl Strategy<Value = Overflow> {
        prop_oneof![
            Just(Overflow::Disconnect),
            Just(Overflow::DropNewest),
            Just(Overflow::DropOldest),
            (0..3u8).prop_map(|key| Overflow::Latest(OverflowKey::new("cursor", &key))),
        ]
    }

    proptest! {
        /// Whatever is offered and written: the bound holds, order is kept, what must stay is there, and what is not there
        /// was told.
        #[test]
        fn nothing_is_lost_unsaid(steps in prop::collection::vec((overflows(), 1..200usize, 0..300usize), 1..100)) {
            let mut outbox = Outbox::new(400);
            let mut told = Vec::new();
            let mut offered = Vec::new();
            let mut written = Vec::new();
            for (id, (overflow, len, write)) in (0u8..).zip(steps) {
                let was_empty = outbox.is_empty();
                let full = outbox.offer(chunk(id, len, overflow.clone()), |lost| match lost {
                    Discarded::Dropped(chunk) | Discarded::Replaced(chunk) => told.extend(chunk.bytes.first().copied()),
                });
                if full.is_err() {
                    prop_assert_eq!(&overflow, &Overflow::Disconnect);
                    prop_assert!(outbox.chunks.iter().skip(usize::from(outbox.cut)).all(|chunk| chunk.overflow == Overflow::Disconnect));
                    break;
                }
                offered.push((id, overflow, len));
                prop_assert!(was_empty || outbox.bytes() <= 400);
                prop_assert_eq!(outbox.bytes(), outbox.chunks.iter().map(|chunk| chunk.bytes.len()).sum::<usize>());
                let write = write.min(outbox.bytes());
                written.extend(outbox.chunks.iter().flat_map(|chunk| chunk.bytes.to_vec()).take(write));
                outbox.advance(write);
            }
            written.extend(outbox.chunks.iter().flat_map(|chunk| chunk.bytes.to_vec()));
            let expected: Vec<u8> = offered
                .iter()
                .filter(|(id, ..)| !told.contains(id))
                .flat_map(|(id, _, len)| vec![*id; *len])
                .collect();
            prop_assert_eq!(written, expected);
            prop_assert!(offered.iter().all(|(id, overflow, _)| *overflow != Overflow::Disconnect || !told.contains(id)));
        }
    }
}
