//! The limits of messages: of each one, and of all unfinished ones of a node together.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Buffers up to this size, in bytes, are not counted: while other clients use up the budget, a small message that arrives
/// in two pieces is still accepted.
const UNCOUNTED: usize = 4096;

/// The limits that all decoders of a node share.
#[derive(Debug)]
pub(crate) struct DecoderLimits {
    /// The largest message, all its fragments together, in bytes.
    pub(crate) max_message: usize,
    /// The most frames that a message may have: empty fragments take time, though no bytes.
    pub(crate) max_frames: u32,
    /// The largest sum of the buffers of unfinished messages, in bytes.
    max_unfinished: usize,
    unfinished: AtomicUsize,
}

impl DecoderLimits {
    pub(crate) fn new(max_message: usize, max_frames: u32, max_unfinished: usize) -> Self {
        Self { max_message, max_frames, max_unfinished, unfinished: AtomicUsize::new(0) }
    }

    /// Counts a buffer that grows from `before` to `after` bytes; returns false if there is no room for it.
    pub(super) fn grow(&self, before: usize, after: usize) -> bool {
        let more = counted(after) - counted(before);
        if more == 0 {
            return true;
        }
        // The order of other operations does not depend on the counter.
        let sum = self.unfinished.fetch_add(more, Ordering::Relaxed).saturating_add(more);
        if sum > self.max_unfinished {
            self.unfinished.fetch_sub(more, Ordering::Relaxed);
        }
        sum <= self.max_unfinished
    }

    /// Counts off a buffer of `bytes` that is freed.
    pub(super) fn free(&self, bytes: usize) {
        if counted(bytes) > 0 {
            self.unfinished.fetch_sub(counted(bytes), Ordering::Relaxed);
        }
    }

    /// Returns the sum of the counted buffers.
    #[cfg(test)]
    pub(super) fn unfinished(&self) -> usize {
        self.unfinished.load(Ordering::Relaxed)
    }
}

fn counted(bytes: usize) -> usize {
    if bytes > UNCOUNTED { bytes } else { 0 }
}
