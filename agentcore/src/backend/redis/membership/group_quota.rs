//! The group permits of this node: those that Redis has granted, and those in use.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The quota of group permits. A permit that was granted before is acquired without a call. Both counts share one
/// atomic, so that acquiring is one step.
#[derive(Debug, Default)]
pub(in super::super) struct GroupQuota {
    /// Granted permits in the upper half, used permits in the lower half.
    counts: AtomicU64,
    /// Number of further permits that are requested at once.
    block: AtomicUsize,
}

const HALF: u32 = 32;
const LOWER: u64 = u32::MAX as u64;

impl GroupQuota {
    /// Acquires a permit if one is granted and unused.
    pub(in super::super) fn try_acquire(&self) -> bool {
        self.update(|granted, used| (used < granted).then_some((granted, used + 1))).is_some()
    }

    /// Acquires a permit, even over the quota.
    pub(super) fn acquire_over_quota(&self) {
        self.update(|granted, used| Some((granted.max(used + 1), used + 1)));
    }

    /// Releases a permit. Returns whether this node should return unused permits to the others.
    pub(in super::super) fn release(&self) -> bool {
        self.update(|granted, used| Some((granted, used.saturating_sub(1))));
        self.has_surplus()
    }

    /// Withdraws all unused permits until the next [`grant`](Self::grant). Returns the number of used permits.
    pub(super) fn freeze(&self) -> usize {
        self.update(|_, used| Some((used, used))).map_or(0, |(_, used)| to_usize(used))
    }

    /// Sets the number of granted permits.
    pub(super) fn grant(&self, granted: usize) {
        self.update(|_, used| Some(((granted as u64).min(LOWER).max(used), used)));
    }

    /// Returns the number of permits that are granted, or used over the quota.
    pub(super) fn granted(&self) -> usize {
        let (granted, used) = halves(self.counts.load(Ordering::Acquire));
        to_usize(granted.max(used))
    }

    /// Returns the number of further permits to request at once. It is zero when few are free.
    pub(super) fn block(&self) -> usize {
        self.block.load(Ordering::Relaxed)
    }

    /// Sets the block size. Returns whether this node should now return unused permits to the others.
    pub(super) fn set_block(&self, block: usize) -> bool {
        self.block.store(block, Ordering::Relaxed);
        self.has_surplus()
    }

    fn has_surplus(&self) -> bool {
        let (granted, used) = halves(self.counts.load(Ordering::Acquire));
        granted >= used + (2 * self.block() as u64).max(1)
    }

    fn update(&self, change: impl Fn(u64, u64) -> Option<(u64, u64)>) -> Option<(u64, u64)> {
        let mut after = None;
        let updated = self.counts.fetch_update(Ordering::AcqRel, Ordering::Acquire, |counts| {
            let (granted, used) = halves(counts);
            after = change(granted, used);
            after.map(|(granted, used)| granted << HALF | (used & LOWER))
        });
        updated.ok().and(after)
    }
}

fn halves(counts: u64) -> (u64, u64) {
    (counts >> HALF, counts & LOWER)
}

fn to_usize(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
