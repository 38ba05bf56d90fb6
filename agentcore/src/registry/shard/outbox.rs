//! The outbox: the queue of bytes that are written to one socket, bounded by `WS_MAX_OUTBOX_BYTES`.
//!
//! It applies the overflow policies. `Slot::deliver` closes the connection of a client that reads too slowly.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::time::Duration;

use bytes::{Buf, Bytes};

use crate::message::Overflow;

/// Largest number of chunks in one vectored write.
pub(super) const MAX_SLICES: usize = 64;
/// Divisor of the bound of an outbox above which messages replace older ones with the same key.
const REPLACE_ABOVE: usize = 16;

/// Bounds of an outbox.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OutboxLimits {
    /// Largest size of an outbox in bytes.
    pub(crate) max_bytes: usize,
    /// Longest time for which a socket may take no bytes.
    pub(crate) write_timeout: Duration,
}

/// The outbox of one connection, bounded in bytes. Group members share chunks, so the bound limits what a connection
/// keeps alive, not what it allocates.
#[derive(Debug)]
pub(super) struct Outbox {
    chunks: VecDeque<Chunk>,
    bytes: usize,
    max_bytes: usize,
    /// The front chunk is partly written.
    front_is_partial: bool,
}

/// One or more whole frames that are queued together.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    pub(super) bytes: Bytes,
    pub(super) frames: u32,
    /// Index of the group it was sent to; `None` for a direct message.
    pub(super) group: Option<u32>,
    pub(super) overflow: Overflow,
}

/// A chunk that was dropped or superseded.
#[derive(Debug)]
pub(super) enum Discarded {
    /// It did not fit.
    Dropped(Chunk),
    /// A newer chunk with the same key replaces it.
    Replaced(Chunk),
}

/// The error for a chunk that does not fit and must not be dropped.
#[derive(Debug)]
pub(super) struct OutboxFull;

impl Outbox {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { chunks: VecDeque::new(), bytes: 0, max_bytes, front_is_partial: false }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Number of queued chunks.
    pub(super) fn len(&self) -> usize {
        self.chunks.len()
    }

    /// Number of queued bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The chunk that is written next.
    pub(super) fn first(&self) -> Option<&Bytes> {
        self.chunks.front().map(|chunk| &chunk.bytes)
    }

    /// Whether `len` more bytes stay within the bound. An empty outbox takes a message of any size.
    pub(super) fn fits(&self, len: usize) -> bool {
        self.chunks.is_empty() || self.bytes.saturating_add(len) <= self.max_bytes
    }

    /// Whether at least half of the bound is free.
    pub(super) fn has_room(&self) -> bool {
        self.bytes <= self.max_bytes / 2
    }

    /// Appends a chunk, or applies its overflow policy if it does not fit. Calls `discard` for each chunk that is not
    /// sent. Returns false if that is the new chunk itself.
    ///
    /// # Errors
    /// Returns [`OutboxFull`] if the chunk does not fit and must not be dropped.
    pub(super) fn offer(&mut self, chunk: Chunk, mut discard: impl FnMut(Discarded)) -> Result<bool, OutboxFull> {
        if self.fits(chunk.bytes.len()) && self.bytes <= self.max_bytes / REPLACE_ABOVE {
            self.push(chunk);
            return Ok(true);
        }
        if let Overflow::Latest(_) = &chunk.overflow
            && let Some(older) =
                self.remove_first(|other| other.group == chunk.group && other.overflow == chunk.overflow)
        {
            discard(Discarded::Replaced(older));
        }
        while !self.fits(chunk.bytes.len()) {
            let older = match chunk.overflow {
                Overflow::DropNewest => None,
                _ => self.remove_first(|other| other.overflow != Overflow::Disconnect),
            };
            match older {
                Some(older) => discard(Discarded::Dropped(older)),
                None if chunk.overflow == Overflow::Disconnect => return Err(OutboxFull),
                None => {
                    discard(Discarded::Dropped(chunk));
                    return Ok(false);
                }
            }
        }
        self.push(chunk);
        Ok(true)
    }

    /// Appends a control frame or a resync. The bound does not apply to them.
    pub(super) fn push_control(&mut self, bytes: Bytes) {
        self.push(Chunk { bytes, frames: 1, group: None, overflow: Overflow::Disconnect });
    }

    /// Drops all chunks except one that is partly written: a frame cut in two would garble everything after it.
    pub(super) fn clear(&mut self) {
        self.chunks.truncate(usize::from(self.front_is_partial));
        self.bytes = self.chunks.iter().map(|chunk| chunk.bytes.len()).sum();
    }

    /// Fills `slices` from the front and returns how many were filled.
    pub(super) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slice, chunk) in slices.iter_mut().zip(&self.chunks) {
            *slice = IoSlice::new(&chunk.bytes);
            filled += 1;
        }
        filled
    }

    /// Removes `written` bytes from the front.
    pub(super) fn advance(&mut self, mut written: usize) {
        self.bytes -= written.min(self.bytes);
        while let Some(Chunk { bytes: front, .. }) = self.chunks.front_mut() {
            if written < front.len() {
                self.front_is_partial |= written > 0;
                front.advance(written);
                break;
            }
            self.front_is_partial = false;
            written -= front.len();
            self.chunks.pop_front();
        }
        if self.chunks.is_empty() && self.chunks.capacity() > 8 {
            self.chunks = VecDeque::new();
        }
    }

    /// Removes chunks of up to `max` bytes in all from the front, but at least one.
    pub(super) fn take(&mut self, max: usize) -> Vec<Bytes> {
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

    fn push(&mut self, chunk: Chunk) {
        self.bytes += chunk.bytes.len();
        self.chunks.push_back(chunk);
    }

    /// Removes the oldest chunk that matches and is not partly written.
    fn remove_first(&mut self, matches: impl Fn(&Chunk) -> bool) -> Option<Chunk> {
        let partial = usize::from(self.front_is_partial);
        let at = self.chunks.iter().skip(partial).position(matches)? + partial;
        let chunk = self.chunks.remove(at)?;
        self.bytes -= chunk.bytes.len();
        Some(chunk)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::OverflowKey;

    fn chunk(id: u8, len: usize, overflow: Overflow) -> Chunk {
        Chunk { bytes: vec![id; len].into(), frames: 1, group: Some(u32::from(id % 2)), overflow }
    }

    fn policies() -> impl Strategy<Value = Overflow> {
        prop_oneof![
            Just(Overflow::Disconnect),
            Just(Overflow::DropNewest),
            Just(Overflow::DropOldest),
            (0..3u8).prop_map(|key| Overflow::Latest(OverflowKey::new("cursor", &key))),
        ]
    }

    proptest! {
        /// For any sequence of offers and writes, the bound holds, the order is kept, chunks that must not be dropped
        /// are written, and every chunk that is not written was reported.
        #[test]
        fn every_lost_chunk_is_reported(steps in prop::collection::vec((policies(), 1..200usize, 0..300usize), 1..100)) {
            let mut outbox = Outbox::new(400);
            let mut reported = Vec::new();
            let mut offered = Vec::new();
            let mut written = Vec::new();
            for (id, (overflow, len, write)) in (0u8..).zip(steps) {
                let was_empty = outbox.is_empty();
                let full = outbox.offer(chunk(id, len, overflow.clone()), |discarded| match discarded {
                    Discarded::Dropped(chunk) | Discarded::Replaced(chunk) => {
                        reported.extend(chunk.bytes.first().copied());
                    }
                });
                if full.is_err() {
                    prop_assert_eq!(&overflow, &Overflow::Disconnect);
                    let mut whole = outbox.chunks.iter().skip(usize::from(outbox.front_is_partial));
                    prop_assert!(whole.all(|chunk| chunk.overflow == Overflow::Disconnect));
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
                .filter(|(id, ..)| !reported.contains(id))
                .flat_map(|(id, _, len)| vec![*id; *len])
                .collect();
            prop_assert_eq!(written, expected);
            prop_assert!(offered.iter().all(|(id, policy, _)| *policy != Overflow::Disconnect || !reported.contains(id)));
        }
    }
}
