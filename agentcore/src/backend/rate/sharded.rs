//! Books for many threads at once.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use super::{RateDecision, RateLimiter, RateRequest};

/// So many shards: subjects that are asked about at the same time rarely meet.
const SHARDS: usize = 32;

/// What a node decides by itself. A decision concerns one subject, and so one shard: its lock makes it one step.
#[derive(Debug)]
pub(crate) struct ShardedLimiter {
    hasher: RandomState,
    shards: Box<[Mutex<RateLimiter>]>,
}

impl Default for ShardedLimiter {
    fn default() -> Self {
        let now = Instant::now();
        Self { hasher: RandomState::new(), shards: (0..SHARDS).map(|_| Mutex::new(RateLimiter::new(now))).collect() }
    }
}

impl ShardedLimiter {
    /// Decides now.
    pub(crate) fn check(&self, request: &RateRequest<'_>) -> RateDecision {
        let count = self.shards.len() as u64;
        let number = usize::try_from(self.hasher.hash_one(request.subject) % count.max(1)).unwrap_or(0);
        match self.shards.get(number) {
            // The clock is read under the lock, so that times never go back within a shard.
            Some(shard) => shard.lock().unwrap_or_else(PoisonError::into_inner).check(request, Instant::now()),
            None => RateDecision::Passed,
        }
    }
}
