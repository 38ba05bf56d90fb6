//! The algorithms: usage of each subject, and the time at which the next message passes.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::{MessageClass, Quota, RateAlgorithm, RateDecision, RateRequest, Subject, window_granularity};

/// Usage of quotas by subjects.
///
/// A subject whose messages no longer count is removed by a sweep. Deciding on messages triggers one at the latest when
/// the number of subjects has doubled since the last sweep, or 30 seconds after it.
#[derive(Debug)]
pub struct RateLimiter {
    /// Zero of all timestamps, which are in nanoseconds.
    started: Instant,
    subjects: HashMap<Subject, Vec<QuotaUsage>>,
    sweep_at: usize,
    next_sweep: u64,
}

/// Longest time between two sweeps while the limiter is in use.
const SWEEP_INTERVAL: Duration = Duration::from_secs(30);

/// Number of subjects below which the number alone triggers no sweep.
const MIN_SWEEP: usize = 256;

/// Usage of one quota by one subject.
#[derive(Debug)]
struct QuotaUsage {
    limit: u16,
    class: MessageClass,
    window: u64,
    state: UsageState,
}

#[derive(Debug)]
enum UsageState {
    SlidingLog {
        /// Timestamps in ascending order, with the cost counted at each.
        log: VecDeque<(u64, u32)>,
        /// Sum of the costs.
        sum: u64,
    },
    Gcra {
        /// Time at which the quota is unused again, in nanoseconds times the messages of the quota, which keeps it
        /// exact.
        until: u128,
        /// The same time in nanoseconds, rounded up.
        idle_at: u64,
    },
}

impl RateLimiter {
    /// Creates an empty limiter. Later calls must not pass a time before `now`.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { started: now, subjects: HashMap::new(), sweep_at: MIN_SWEEP, next_sweep: nanos(SWEEP_INTERVAL) }
    }

    /// Decides on a request at time `now`. If it passes, it is counted in all its quotas; otherwise in none.
    pub fn check(&mut self, request: &RateRequest<'_>, now: Instant) -> RateDecision {
        let now = nanos(now.saturating_duration_since(self.started));
        let mut wait = 0;
        if request.quotas.iter().any(|quota| request.cost > quota.messages) {
            return RateDecision::Refused { retry_after: None };
        }
        if let Some(usages) = self.subjects.get_mut(request.subject) {
            for quota in request.quotas {
                if let Some(usage) = usages.iter_mut().find(|usage| usage.is_of(quota)) {
                    wait = wait.max(usage.wait(quota, request.cost, now));
                }
            }
        }
        if wait > 0 {
            return RateDecision::Refused { retry_after: Some(Duration::from_nanos(wait)) };
        }
        if request.cost > 0 && !request.quotas.is_empty() {
            self.count(request, now);
        }
        RateDecision::Passed
    }

    /// Returns the number of subjects in memory.
    #[must_use]
    pub fn len(&self) -> usize {
        self.subjects.len()
    }

    /// Returns whether no subject is in memory.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.subjects.is_empty()
    }

    fn count(&mut self, request: &RateRequest<'_>, now: u64) {
        let is_full = self.subjects.len() >= self.sweep_at;
        if now >= self.next_sweep || (is_full && !self.subjects.contains_key(request.subject)) {
            self.sweep(now);
        }
        let usages = match self.subjects.get_mut(request.subject) {
            Some(usages) => usages,
            None => {
                let usages = Vec::with_capacity(request.quotas.len());
                self.subjects.entry(request.subject.clone()).or_insert(usages)
            }
        };
        for quota in request.quotas {
            match usages.iter_mut().find(|usage| usage.is_of(quota)) {
                Some(usage) => usage.record(quota, request.cost, now),
                None => {
                    let mut usage = QuotaUsage::new(quota);
                    usage.record(quota, request.cost, now);
                    usages.push(usage);
                }
            }
        }
    }

    /// Removes subjects whose messages no longer count.
    fn sweep(&mut self, now: u64) {
        self.subjects.retain(|_, usages| {
            usages.retain(|usage| !usage.is_idle(now));
            !usages.is_empty()
        });
        self.subjects.shrink_to(2 * self.subjects.len());
        self.sweep_at = MIN_SWEEP.max(2 * self.subjects.len());
        self.next_sweep = now.saturating_add(nanos(SWEEP_INTERVAL));
    }
}

impl QuotaUsage {
    fn new(quota: &Quota) -> Self {
        let state = match quota.algorithm {
            RateAlgorithm::Sliding => UsageState::SlidingLog { log: VecDeque::new(), sum: 0 },
            RateAlgorithm::Gcra => UsageState::Gcra { until: 0, idle_at: 0 },
        };
        Self { limit: quota.limit, class: quota.class, window: nanos(quota.window), state }
    }

    fn is_of(&self, quota: &Quota) -> bool {
        let same_algorithm =
            matches!(self.state, UsageState::SlidingLog { .. }) == (quota.algorithm == RateAlgorithm::Sliding);
        self.limit == quota.limit && self.class == quota.class && self.window == nanos(quota.window) && same_algorithm
    }

    /// Returns the time in nanoseconds that `cost` must wait; 0 if it passes now. `cost` is at most the quota's
    /// messages.
    fn wait(&mut self, quota: &Quota, cost: u32, now: u64) -> u64 {
        let window = self.window;
        match &mut self.state {
            UsageState::SlidingLog { log, sum } => {
                while let Some((_, taken)) = log.front().filter(|(at, _)| at.saturating_add(window) <= now) {
                    *sum = sum.saturating_sub((*taken).into());
                    log.pop_front();
                }
                // Cost that must leave the window first, oldest entries before newer ones.
                let mut excess = (*sum + u64::from(cost)).saturating_sub(quota.messages.into());
                let mut entries = log.iter();
                let mut wait = 0;
                while excess > 0 {
                    let Some((at, taken)) = entries.next() else { break };
                    excess = excess.saturating_sub((*taken).into());
                    wait = at.saturating_add(window).saturating_sub(now);
                }
                wait
            }
            UsageState::Gcra { until, .. } => {
                let (messages, now) = (u128::from(quota.messages), u128::from(now));
                let after = (*until).max(now * messages) + u128::from(cost) * u128::from(window);
                let bound = (now + u128::from(window)) * messages;
                u64::try_from(after.saturating_sub(bound).div_ceil(messages.max(1))).unwrap_or(u64::MAX)
            }
        }
    }

    fn record(&mut self, quota: &Quota, cost: u32, now: u64) {
        match &mut self.state {
            UsageState::SlidingLog { log, sum } => {
                let granularity = window_granularity(quota.messages, self.window);
                // Rounded up: the message counts slightly longer, so that no window exceeds the quota.
                let at = now.div_ceil(granularity).saturating_mul(granularity);
                *sum += u64::from(cost);
                match log.back_mut() {
                    Some((last, taken)) if *last == at => *taken = taken.saturating_add(cost),
                    _ => log.push_back((at, cost)),
                }
            }
            UsageState::Gcra { until, idle_at } => {
                let messages = u128::from(quota.messages);
                *until = (*until).max(u128::from(now) * messages) + u128::from(cost) * u128::from(self.window);
                *idle_at = u64::try_from(until.div_ceil(messages.max(1))).unwrap_or(u64::MAX);
            }
        }
    }

    /// Returns whether no message counts any more.
    fn is_idle(&self, now: u64) -> bool {
        match &self.state {
            UsageState::SlidingLog { log, .. } => {
                log.back().is_none_or(|(at, _)| at.saturating_add(self.window) <= now)
            }
            UsageState::Gcra { idle_at, .. } => *idle_at <= now,
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
