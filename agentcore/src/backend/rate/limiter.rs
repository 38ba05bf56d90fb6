//! The rules: who has sent how much, and when the next message may pass.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::{Part, Quota, RateAsk, RateDecision, Rule, Subject, grain};

/// What subjects have sent, as far as it still counts.
///
/// Who has sent nothing for as long as it counts is forgotten: while messages are decided on, at the latest when the book
/// has twice the subjects that it had when it was last swept, or after `SWEEP`.
#[derive(Debug)]
pub struct RateBook {
    /// Times are counted from here, in nanoseconds.
    epoch: Instant,
    subjects: HashMap<Subject, Vec<Gauge>>,
    sweep_at: usize,
    next_sweep: u64,
}

/// A book is swept at least this often while it is used.
const SWEEP: Duration = Duration::from_secs(30);

/// Few subjects are not worth a sweep.
const FEW: usize = 256;

/// What one subject has used of one quota.
#[derive(Debug)]
struct Gauge {
    limit: u16,
    part: Part,
    window: u64,
    used: Used,
}

#[derive(Debug)]
enum Used {
    /// Times, ascending, with what was taken then, and the sum of that.
    Log(VecDeque<(u64, u32)>, u64),
    /// When all that was taken is given back, in nanoseconds times the messages of the quota, so that it is exact; and the
    /// same in nanoseconds, rounded up.
    Until(u128, u64),
}

impl RateBook {
    /// An empty book; no time before `now` may be given to it.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { epoch: now, subjects: HashMap::new(), sweep_at: FEW, next_sweep: nanos(SWEEP) }
    }

    /// Decides, and counts what passes: all quotas or none.
    pub fn take(&mut self, ask: &RateAsk<'_>, now: Instant) -> RateDecision {
        let now = nanos(now.saturating_duration_since(self.epoch));
        let mut wait = 0;
        if ask.quotas.iter().any(|quota| ask.cost > quota.messages) {
            return RateDecision::Refused { retry_after: None };
        }
        if let Some(gauges) = self.subjects.get_mut(ask.subject) {
            for quota in ask.quotas {
                if let Some(gauge) = gauges.iter_mut().find(|gauge| gauge.is_of(quota)) {
                    wait = wait.max(gauge.wait(quota, ask.cost, now));
                }
            }
        }
        if wait > 0 {
            return RateDecision::Refused { retry_after: Some(Duration::from_nanos(wait)) };
        }
        if ask.cost > 0 && !ask.quotas.is_empty() {
            self.count(ask, now);
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

    fn count(&mut self, ask: &RateAsk<'_>, now: u64) {
        let known = self.subjects.contains_key(ask.subject);
        if now >= self.next_sweep || (!known && self.subjects.len() >= self.sweep_at) {
            self.sweep(now);
        }
        if !self.subjects.contains_key(ask.subject) {
            self.subjects.insert(ask.subject.clone(), Vec::with_capacity(ask.quotas.len()));
        }
        let Some(gauges) = self.subjects.get_mut(ask.subject) else { return };
        for quota in ask.quotas {
            match gauges.iter_mut().find(|gauge| gauge.is_of(quota)) {
                Some(gauge) => gauge.take(quota, ask.cost, now),
                None => {
                    let mut gauge = Gauge::new(quota);
                    gauge.take(quota, ask.cost, now);
                    gauges.push(gauge);
                }
            }
        }
    }

    /// Forgets whoever has nothing that still counts.
    fn sweep(&mut self, now: u64) {
        self.subjects.retain(|_, gauges| {
            gauges.retain(|gauge| !gauge.is_idle(now));
            !gauges.is_empty()
        });
        self.subjects.shrink_to(2 * self.subjects.len());
        self.sweep_at = FEW.max(2 * self.subjects.len());
        self.next_sweep = now.saturating_add(nanos(SWEEP));
    }
}

impl Gauge {
    fn new(quota: &Quota) -> Self {
        let used = match quota.rule {
            Rule::Sliding => Used::Log(VecDeque::new(), 0),
            Rule::Gcra => Used::Until(0, 0),
        };
        Self { limit: quota.limit, part: quota.part, window: nanos(quota.window), used }
    }

    fn is_of(&self, quota: &Quota) -> bool {
        let same_rule = matches!(self.used, Used::Log(..)) == (quota.rule == Rule::Sliding);
        self.limit == quota.limit && self.part == quota.part && self.window == nanos(quota.window) && same_rule
    }

    /// How long `cost` must wait; 0 if it may pass. It is no more than the quota has.
    fn wait(&mut self, quota: &Quota, cost: u32, now: u64) -> u64 {
        let window = self.window;
        match &mut self.used {
            Used::Log(log, sum) => {
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
            Used::Until(until, _) => {
                let (messages, now) = (u128::from(quota.messages), u128::from(now));
                let after = (*until).max(now * messages) + u128::from(cost) * u128::from(window);
                let bound = (now + u128::from(window)) * messages;
                u64::try_from(after.saturating_sub(bound).div_ceil(messages.max(1))).unwrap_or(u64::MAX)
            }
        }
    }

    fn take(&mut self, quota: &Quota, cost: u32, now: u64) {
        match &mut self.used {
            Used::Log(log, sum) => {
                let grain = grain(quota.messages, self.window);
                // Rounded up, never down: it counts for a little longer, and no window has too many.
                let at = now.div_ceil(grain).saturating_mul(grain);
                *sum += u64::from(cost);
                match log.back_mut() {
                    Some((last, taken)) if *last == at => *taken = taken.saturating_add(cost),
                    _ => log.push_back((at, cost)),
                }
            }
            Used::Until(until, idle_at) => {
                let messages = u128::from(quota.messages);
                *until = (*until).max(u128::from(now) * messages) + u128::from(cost) * u128::from(self.window);
                *idle_at = u64::try_from(until.div_ceil(messages.max(1))).unwrap_or(u64::MAX);
            }
        }
    }

    /// Whether nothing of it counts any more.
    fn is_idle(&self, now: u64) -> bool {
        match &self.used {
            Used::Log(log, _) => log.back().is_none_or(|(at, _)| at.saturating_add(self.window) <= now),
            Used::Until(_, idle_at) => *idle_at <= now,
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
