//! What waits to be written to one socket: bounded in bytes, in order.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// How many chunks one vectored write takes.
pub(crate) const MAX_SLICES: usize = 64;

/// The queue of one connection. Chunks are shared with the other members of a group, so its bytes are a bound on
/// what this connection keeps alive, not what it alone has allocated.
#[derive(Debug)]
pub(crate) struct Outbox {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    max_bytes: usize,
    /// The front chunk is half written.
    cut: bool,
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

    /// The chunk that is written next.
    pub(crate) fn first(&self) -> Option<&Bytes> {
        self.chunks.front()
    }

    /// Whether `len` more bytes stay within the bound; an empty outbox takes any single message.
    pub(crate) fn fits(&self, len: usize) -> bool {
        self.chunks.is_empty() || self.bytes.saturating_add(len) <= self.max_bytes
    }

    /// Appends without looking at the bound: the caller has, or it is a close or a pong.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        self.bytes += chunk.len();
        self.chunks.push_back(chunk);
    }

    /// Drops what has not begun to be written: a frame cut in two would make nonsense of what follows it.
    pub(crate) fn clear(&mut self) {
        self.chunks.truncate(usize::from(self.cut));
        self.bytes = self.chunks.iter().map(Bytes::len).sum();
    }

    /// Fills `slices` from the front; returns how many.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slot, chunk) in slices.iter_mut().zip(&self.chunks) {
            *slot = IoSlice::new(chunk);
            filled += 1;
        }
        filled
    }

    /// Removes `written` bytes from the front.
    pub(crate) fn advance(&mut self, mut written: usize) {
        self.bytes -= written.min(self.bytes);
        while let Some(front) = self.chunks.front_mut() {
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
            if !taken.is_empty() && sum + front.len() > max {
                break;
            }
            sum += front.len();
            taken.extend(self.chunks.pop_front());
        }
        self.bytes -= sum.min(self.bytes);
        taken
    }
}
