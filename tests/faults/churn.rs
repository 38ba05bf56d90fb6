//! Clients that move between groups, in a pseudo-random order that is the same in every run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use crate::load::Load;
use crate::member::Member;

/// Pause between two moves.
const EVERY: Duration = Duration::from_millis(20);

/// A pseudo-random number generator.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Returns a generator that repeats its numbers for the same seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Returns a number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("it is below")
    }

    /// Returns a random item.
    pub(crate) fn one_of<T: Copy>(&mut self, some: &[T]) -> T {
        some[self.below(some.len())]
    }
}

/// Moves some clients between groups, one after the other, while `talking` is set.
pub(crate) async fn churn(members: Vec<Arc<Member>>, load: Load, talking: Arc<AtomicBool>) {
    let mut dice = Dice::new(1);
    while talking.load(Ordering::Relaxed) {
        sleep(EVERY).await;
        let member = &members[dice.below(members.len())];
        if member.seen.is_open() {
            member.leave(&member.home()).await;
            member.join(&load.group_of(dice.below(load.groups))).await;
        }
    }
}
