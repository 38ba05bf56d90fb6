//! The counts of one worker: written by its thread alone, read by whoever asks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::labels::{Labels, Slot};

/// The upper bounds of the duration histogram; the last bucket is all above.
pub(super) const BOUNDS: [Duration; 14] = [
    Duration::from_micros(10),
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
];

/// The counts of one worker. On a worker nobody else writes, so an addition costs a few nanoseconds and no traffic
/// between cores; with `WORKERS=0` several threads may, which is why they are additions and not stores.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Cells {
    received: Box<[Received]>,
    turn: AtomicU64,
    /// The last turn that was counted as too long.
    reported: AtomicU64,
}

/// One poll of a handler on its worker: a number that goes up, and below it the slot of the handler plus one, 0 when
/// none runs. One word, so that the watchdog never sees half of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn(u64);

impl Turn {
    const SLOT: u64 = 0xffff;

    fn of(word: u64) -> Self {
        Self(word)
    }

    fn next(self, slot: Slot) -> Self {
        Self((self.0 | Self::SLOT).wrapping_add(1) | (u64::from(slot.0) + 1))
    }

    fn idle(self) -> Self {
        Self(self.0 & !Self::SLOT)
    }

    /// Whose it is.
    pub(super) fn slot(self) -> Option<Slot> {
        let slot = (self.0 & Self::SLOT).checked_sub(1)?;
        u16::try_from(slot).ok().map(Slot)
    }
}

/// Of one message type of one consumer. The alignment keeps two workers out of one cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Received {
    pub(super) messages: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) nanoseconds: AtomicU64,
    pub(super) buckets: [AtomicU64; BOUNDS.len() + 1],
    /// How often it held its worker too long.
    pub(super) held: AtomicU64,
}

impl Cells {
    pub(super) fn new(labels: &Labels) -> Self {
        Self { received: labels.received.iter().map(|_| Received::default()).collect(), ..Self::default() }
    }

    /// A message came in.
    pub(super) fn received(&self, slot: Slot, bytes: usize) {
        let Some(cell) = self.at(slot) else { return };
        cell.messages.fetch_add(1, Ordering::Relaxed);
        cell.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A handler or a hook has ended, however it did.
    pub(super) fn handled(&self, slot: Slot, took: Duration) {
        let Some(cell) = self.at(slot) else { return };
        let at = BOUNDS.iter().position(|bound| took <= *bound).unwrap_or(BOUNDS.len());
        if let Some(bucket) = cell.buckets.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        cell.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    fn at(&self, slot: Slot) -> Option<&Received> {
        self.of(usize::from(slot.0))
    }

    pub(super) fn of(&self, slot: usize) -> Option<&Received> {
        self.received.get(slot)
    }

    /// Messages and bytes of all types.
    pub(super) fn total(&self) -> (u64, u64) {
        self.received.iter().fold((0, 0), |(messages, bytes), cell| {
            (messages + cell.messages.load(Ordering::Relaxed), bytes + cell.bytes.load(Ordering::Relaxed))
        })
    }

    /// A poll of the application's code begins.
    pub(super) fn enter(&self, slot: Slot) {
        self.turn.store(Turn::of(self.turn.load(Ordering::Relaxed)).next(slot).0, Ordering::Relaxed);
    }

    /// It has ended; which turn it was.
    pub(super) fn leave(&self) -> Turn {
        let turn = Turn::of(self.turn.load(Ordering::Relaxed));
        self.turn.store(turn.idle().0, Ordering::Relaxed);
        turn
    }

    /// The turn that runs.
    pub(super) fn turn(&self) -> Turn {
        Turn::of(self.turn.load(Ordering::Relaxed))
    }

    /// Counts a turn that has held the worker too long; false if it was counted before, by the other of the two who
    /// notice: the worker itself at the end, the watchdog meanwhile.
    pub(super) fn held(&self, turn: Turn, slot: Slot) -> bool {
        let new = self.reported.swap(turn.0, Ordering::Relaxed) != turn.0;
        if new && let Some(cell) = self.at(slot) {
            cell.held.fetch_add(1, Ordering::Relaxed);
        }
        new
    }
}
