//! The quotas of a limit, and its decisions that this node makes without the backend.

use super::super::Incoming;
use crate::backend::{Quota, RateDecision, RateRequest, ShardedLimiter};
use crate::error::Error;
use crate::log_throttle::LogThrottle;

/// Returns the number of messages that a message counts as.
pub(super) type CostFn = Box<dyn Fn(&Incoming<'_>) -> u32 + Send + Sync>;

/// The windows of a limit as quotas of the backend.
#[derive(Debug)]
pub(super) struct Quotas {
    /// The number of the limit in its chain, the same on every node with this chain.
    pub(super) limit: u16,
    pub(super) ordinary: Vec<Quota>,
    pub(super) exempt: Vec<Quota>,
}

/// Decides for connections, which exist on this node only, and for every subject while the backend is unavailable.
#[derive(Debug, Default)]
pub(super) struct LocalRateLimiter {
    limiter: ShardedLimiter,
    throttle: LogThrottle,
}

impl LocalRateLimiter {
    pub(super) fn decide(&self, request: &RateRequest<'_>) -> RateDecision {
        self.limiter.check(request)
    }

    /// Logs that the backend is unavailable, and decides for this node alone.
    pub(super) fn decide_without_backend(&self, request: &RateRequest<'_>, error: &Error) -> RateDecision {
        if let Some(suppressed) = self.throttle.permit() {
            tracing::warn!(code = error.code(), suppressed, "each node counts rate limits by itself: {error:?}");
        }
        self.decide(request)
    }
}
