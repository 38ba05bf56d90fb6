//! The oracle: compares what was sent with what each client has received.
//!
//! A client must receive every number that was sent to its group while it was a member, once and in order. Missing numbers
//! must be covered by a resync that arrives soon after they were sent. No client is disconnected. On the sender's own node
//! nothing is missing at all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::record::{Log, Resync, Seen, Stay, Time};

/// Time after the end of the fault within which every client that missed something is notified.
const SIGNAL: Duration = Duration::from_secs(5);
/// Shortest time between two resyncs of one connection. The server sends them 2 s apart; a busy machine delays the first.
const PACE: Duration = Duration::from_millis(1_500);
/// Longest round trip of a client's own message: a fault of Redis must not delay delivery on the same node.
const LOCAL: Duration = Duration::from_secs(5);
/// Messages in flight when a client leaves belong to nobody; they arrive within this time.
const TRAVEL: Duration = Duration::from_secs(1);
/// Number of violations that are printed.
const SHOWN: usize = 12;

/// The findings of the oracle.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Every violation of the contract.
    pub(crate) complaints: Vec<String>,
    /// Messages that arrived, and messages that were missing and signalled.
    pub(crate) arrived: u64,
    pub(crate) missed: u64,
    /// Missing messages that were signalled by a close code that says to reconnect.
    pub(crate) ended: u64,
    /// Messages missed by clients that had left the group when the gap was found; only members are notified.
    pub(crate) left: u64,
    /// Time from the end of the fault until the last affected client was notified.
    pub(crate) signal: Duration,
    /// The longest round trip of a client's own message.
    pub(crate) local: Duration,
}

/// A sender in a group, as its own node sees it.
struct Source {
    node: usize,
    sent: Vec<Time>,
}

/// Judges the records of all clients of a test; `healed` is the end of the fault.
pub(crate) fn judge(all: &[Arc<Seen>], healed: Time) -> Verdict {
    let mut verdict = Verdict::default();
    let mut sources: HashMap<String, Vec<(String, Source)>> = HashMap::new();
    for seen in all {
        let log = seen.log();
        for ((from, group), heard) in log.heard.iter().filter(|((from, _), _)| *from == seen.name) {
            let source = Source { node: seen.node, sent: heard.sent.clone() };
            sources.entry(group.clone()).or_default().push((from.clone(), source));
            if log.may_stall {
                continue;
            }
            let slowest = Duration::from_micros(heard.slowest);
            verdict.local = verdict.local.max(slowest);
            if slowest > LOCAL {
                verdict.complaints.push(format!("{from}: an own message took {slowest:?}"));
            }
        }
    }
    for seen in all {
        let log = seen.log();
        one(seen, &log, &sources, healed, &mut verdict);
    }
    verdict
}

fn one(seen: &Seen, log: &Log, sources: &HashMap<String, Vec<(String, Source)>>, healed: Time, verdict: &mut Verdict) {
    let name = &seen.name;
    verdict.complaints.extend(log.wrong.iter().map(|wrong| format!("{name}: {wrong}")));
    if let Some((_, how)) = &log.end
        && !log.may_end
    {
        verdict.complaints.push(format!("{name} was disconnected: {how}"));
    }
    for pair in log.resyncs.windows(2) {
        let apart = micros(pair[1].at.saturating_sub(pair[0].at));
        if apart < PACE {
            verdict.complaints.push(format!("{name}: two resyncs within {apart:?}: {pair:?}"));
        }
    }
    for stay in &log.stays {
        for (from, source) in sources.get(&stay.group).into_iter().flatten() {
            let heard = log.heard.get(&(from.clone(), stay.group.clone()));
            let is_due = |at: Time| at >= stay.from && stay.to.is_none_or(|to| micros(at) + TRAVEL <= micros(to));
            for (number, at) in (0_u64..).zip(source.sent.iter().copied()).filter(|(_, at)| is_due(*at)) {
                if heard.is_some_and(|heard| heard.has(number)) {
                    verdict.arrived += 1;
                } else if source.node == seen.node && !log.may_end {
                    verdict
                        .complaints
                        .push(format!("{name} did not hear {number} of {from}, which is on its own node"));
                } else {
                    missing(name, log, stay, (from, number, at), healed, verdict);
                }
            }
        }
    }
}

fn missing(name: &str, log: &Log, stay: &Stay, message: (&str, u64, Time), healed: Time, verdict: &mut Verdict) {
    let ((from, number, at), group) = (message, &stay.group);
    if let Some((end, _)) = log.end
        && log.may_end
        && micros(end.saturating_sub(at)) < SIGNAL
    {
        verdict.missed += 1;
        verdict.ended += 1;
        return;
    }
    let covers = |resync: &&Resync| resync.at >= at && resync.covers(group);
    let Some(resync) = log.resyncs.iter().find(covers) else {
        if stay.to.is_some_and(|to| micros(to) < micros(healed.max(at)) + SIGNAL) {
            verdict.left += 1;
            return;
        }
        let before = |time: Time| format!("{:?} before", micros(healed.saturating_sub(time)));
        let stays: Vec<_> =
            log.stays.iter().filter(|stay| stay.group == *group).map(|stay| before(stay.from)).collect();
        let told: Vec<_> =
            log.resyncs.iter().map(|resync| (before(resync.at), &resync.groups, &resync.reason)).collect();
        verdict.complaints.push(format!(
            "{name} missed {number} of {from} in {group}, said {} the end, and was not told; it joined {stays:?}, told {told:?}",
            before(at)
        ));
        return;
    };
    verdict.missed += 1;
    let late = micros(resync.at.saturating_sub(healed.max(at)));
    verdict.signal = verdict.signal.max(late);
    if late > SIGNAL {
        verdict.complaints.push(format!("{name} missed {number} of {from} in {group}, and was told {late:?} late"));
    }
}

impl Verdict {
    /// Returns whether every client received everything that was sent while it was a member.
    pub(crate) fn is_complete(&self) -> bool {
        self.missed == self.ended && self.left == 0
    }

    /// Fails with the findings, if there are any.
    ///
    /// # Panics
    /// If there are findings.
    pub(crate) fn must_be_clean(&self) {
        let shown = &self.complaints[..self.complaints.len().min(SHOWN)];
        assert!(self.complaints.is_empty(), "{} complaints, such as\n{}", self.complaints.len(), shown.join("\n"));
    }
}

fn micros(time: Time) -> Duration {
    Duration::from_micros(time)
}
