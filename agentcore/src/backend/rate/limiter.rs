//! The rules: who has sent how much, and when the next message may pass.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::{MessageClass, Quota, RateAlgorithm, RateDecision, RateRequest, Subject, window_granularity};

/// What subjects have sent, as far as it still counts.
///
/// Who has sent nothing for as long as it counts is forgotten: while messages are decided on, at the latest when the book
/// has twice the subjects that it had when it was last swept, or after `SWEEP`.
#[derive(Debug)]
pub struct RateLimiter {
    /// Times are counted from here, in nanoseconds.
    epoch: Instant,
    subjects: HashMap<Subject, Vec<QuotaUsage>>,
    sweep_at: usize,
    next_sweep: u64,
}

/// A book is swept at least this often while it is used.
const SWEEP: Duration = Duration::from_secs(30);

/// Few subjects are not worth a sweep.
const FEW: usize = 256;

/// What one subject has used of one quota.
#[derive(Debug)]
struct QuotaUsage {
    limit: u16,
    class: MessageClass,
    window: u64,
    used: UsageState,
}

#[derive(Debug)]
enum UsageState {
    /// Times, ascending, with what was taken then, and the sum of that.
    SlidingLog(VecDeque<(u64, u32)>, u64),
    /// When all that was taken is given back, in nanoseconds times the messages of the quota, so that it is exact; and the
    /// same in nanoseconds, rounded up.
    Gcra(u128, u64),
}

impl RateLimiter {
    /// An empty book; no time before `now` may be given to it.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { epoch: now, subjects: HashMap::new(), sweep_at: FEW, next_sweep: nanos(SWEEP) }
    }

    /// Decides, and counts what passes: all quotas or none.
    pub fn check(&mut self, request: &RateRequest<'_>, now: Instant) -> RateDecision {
        let now = nanos(now.saturating_duration_since(self.epoch));
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

    /// How many subjects it knows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.subjects.len()
    }

    /// Whether it knows nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.subjects.is_empty()
    }

    fn count(&mut self, request: &RateRequest<'_>, now: u64) {
        let known = self.subjects.contains_key(request.subject);
        if now >= self.next_sweep || (!known && self.subjects.len() >= self.sweep_at) {
            self.sweep(now);
        }
        if !self.subjects.contains_key(request.subject) {
            self.subjects.insert(request.subject.clone(), Vec::with_capacity(request.quotas.len()));
        }
        let Some(usages) = self.subjects.get_mut(request.subject) else { return };
        for quota in request.quotas {
            match usages.iter_mut().find(|usage| usage.is_of(quota)) {
                Some(usage) => usage.take(quota, request.cost, now),
                None => {
                    let mut usage = QuotaUsage::new(quota);
                    usage.take(quota, request.cost, now);
                    usages.push(usage);
                }
            }
        }
    }

    /// Forgets whoever has nothing that still counts.
    fn sweep(&mut self, now: u64) {
        self.subjects.retain(|_, usages| {
            usages.retain(|usage| !usage.is_idle(now));
            !usages.is_empty()
        });
        self.subjects.shrink_to(2 * self.subjects.len());
        self.sweep_at = FEW.max(2 * self.subjects.len());
        self.next_sweep = now.saturating_add(nanos(SWEEP));
    }
}

impl QuotaUsage {
    fn new(quota: &Quota) -> Self {
        let used = match quota.algorithm {
            RateAlgorithm::Sliding => UsageState::SlidingLog(VecDeque::new(), 0),
            RateAlgorithm::Gcra => UsageState::Gcra(0, 0),
        };
        Self { limit: quota.limit, class: quota.class, window: nanos(quota.window), used }
    }

    fn is_of(&self, quota: &Quota) -> bool {
        let same_algorithm =
            matches!(self.used, UsageState::SlidingLog(..)) == (quota.algorithm == RateAlgorithm::Sliding);
        self.limit == quota.limit && self.class == quota.class && self.window == nanos(quota.window) && same_algorithm
    }

    /// How long `cost` must wait; 0 if it may pass. It is no more than the quota has.
    fn wait(&mut self, quota: &Quota, cost: u32, now: u64) -> u64 {
        let window = self.window;
        match &mut self.used {
            UsageState::SlidingLog(log, sum) => {
                while let Some((_, taken)) = log.front().filter(|(at, _)| at.saturating_add(window) <= now) {
                    *sum = sum.saturating_sub((*taken).into());
                    log.pop_front();
                }
                // So much must be given back first, from the oldest on.
                let mut missing = (*sum + u64::from(cost)).saturating_sub(quota.messages.into());
                let mut entries = log.iter();
                let mut wait = 0;
                while missing > 0 {
                    let Some((at, taken)) = entries.next() else { break };
                    missing = missing.saturating_sub((*taken).into());
                    wait = at.saturating_add(window).saturating_sub(now);
                }
                wait
            }
            UsageState::Gcra(until, _) => {
                let (messages, now) = (u128::from(quota.messages), u128::from(now));
                let after = (*until).max(now * messages) + u128::from(cost) * u128::from(window);
                let bound = (now + u128::from(window)) * messages;
                u64::try_from(after.saturating_sub(bound).div_ceil(messages.max(1))).unwrap_or(u64::MAX)
            }
        }
    }

    fn take(&mut self, quota: &Quota, cost: u32, now: u64) {
        match &mut self.used {
            UsageState::SlidingLog(log, sum) => {
                let window_granularity = window_granularity(quota.messages, self.window);
                // Rounded up, never down: it counts for a little longer, and no window has too many.
                let at = now.div_ceil(window_granularity).saturating_mul(window_granularity);
                *sum += u64::from(cost);
                match log.back_mut() {
                    Some((last, taken)) if *last == at => *taken = taken.saturating_add(cost),
                    _ => log.push_back((at, cost)),
                }
            }
            UsageState::Gcra(until, idle_at) => {
                let messages = u128::from(quota.messages);
                *until = (*until).max(u128::from(now) * messages) + u128::from(cost) * u128::from(self.window);
                *idle_at = u64::try_from(until.div_ceil(messages.max(1))).unwrap_or(u64::MAX);
            }
        }
    }

    /// Whether nothing of it counts any more.
    fn is_idle(&self, now: u64) -> bool {
        match &self.used {
            UsageState::SlidingLog(log, _) => log.back().is_none_or(|(at, _)| at.saturating_add(self.window) <= now),
            UsageState::Gcra(_, idle_at) => *idle_at <= now,
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
