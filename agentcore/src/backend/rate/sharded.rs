//! A rate limiter for concurrent use.

use std::hash::{BuildHasher, RandomState};

use tokio::time::Instant;

use super::{RateDecision, RateLimiter, RateRequest};
use crate::sync::{Mutex, lock};

/// Number of shards; large enough that concurrent requests rarely need the same lock.
const SHARDS: usize = 32;

/// Rate limits that this node decides itself. A subject belongs to one shard, whose lock makes check and count one
/// step.
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
    /// Decides on a request now, and counts it if it passes.
    pub(crate) fn check(&self, request: &RateRequest<'_>) -> RateDecision {
        let count = self.shards.len() as u64;
        let number = usize::try_from(self.hasher.hash_one(request.subject) % count.max(1)).unwrap_or(0);
        match self.shards.get(number) {
            // The clock is read under the lock, so that time never goes back within a shard.
            Some(shard) => lock(shard).check(request, Instant::now()),
            None => RateDecision::Passed,
        }
    }
}
