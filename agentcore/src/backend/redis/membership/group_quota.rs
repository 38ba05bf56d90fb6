//! LocalAdmission for groups: those that Redis has granted, and those that are taken.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Most places are taken without asking, of those that were granted before. Both numbers stand in one, so that taking is
/// one step.
#[derive(Debug, Default)]
pub(in super::super) struct GroupQuota {
    /// Granted in the upper half, taken in the lower.
    numbers: AtomicU64,
    /// So many more are asked for at once.
    block: AtomicUsize,
}

const HALF: u32 = 32;
const LOWER: u64 = u32::MAX as u64;

impl GroupQuota {
    /// Takes a place that is granted already.
    pub(in super::super) fn take(&self) -> bool {
        self.change(|granted, taken| (taken < granted).then_some((granted, taken + 1))).is_some()
    }

    /// Takes a place that nobody has granted.
    pub(super) fn force(&self) {
        self.change(|granted, taken| Some((granted.max(taken + 1), taken + 1)));
    }

    /// Gives one back. True when so many are unused that others should have them.
    pub(in super::super) fn give_back(&self) -> bool {
        self.change(|granted, taken| Some((granted, taken.saturating_sub(1))));
        self.has_many()
    }

    fn has_many(&self) -> bool {
        let (granted, taken) = halves(self.numbers.load(Ordering::Acquire));
        granted >= taken + (2 * self.block() as u64).max(1)
    }

    /// From now on none is taken without asking, until Redis has granted some; returns how many are taken.
    pub(super) fn freeze(&self) -> usize {
        self.change(|_, taken| Some((taken, taken))).map_or(0, |(_, taken)| number(taken))
    }

    /// So many are granted.
    pub(super) fn grant(&self, granted: usize) {
        self.change(|_, taken| Some(((granted as u64).min(LOWER).max(taken), taken)));
    }

    /// How many are granted, or taken nevertheless.
    pub(super) fn granted(&self) -> usize {
        let (granted, taken) = halves(self.numbers.load(Ordering::Acquire));
        number(granted.max(taken))
    }

    /// How many more are asked for at once: none where there are few.
    pub(super) fn block(&self) -> usize {
        self.block.load(Ordering::Relaxed)
    }

    /// True as in [`give_back`](Self::give_back): where there are few now, those that are unused are for others.
    pub(super) fn set_block(&self, block: usize) -> bool {
        self.block.store(block, Ordering::Relaxed);
        self.has_many()
    }

    fn change(&self, change: impl Fn(u64, u64) -> Option<(u64, u64)>) -> Option<(u64, u64)> {
        let mut after = None;
        let changed = self.numbers.fetch_update(Ordering::AcqRel, Ordering::Acquire, |numbers| {
            let (granted, taken) = halves(numbers);
            after = change(granted, taken);
            after.map(|(granted, taken)| granted << HALF | (taken & LOWER))
        });
        changed.ok().and(after)
    }
}

fn halves(numbers: u64) -> (u64, u64) {
    (numbers >> HALF, numbers & LOWER)
}

fn number(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
