//! The oracle: compares what was said with what each client has seen.
//!
//! A client must have heard every number that was said to its group while it was in it, once and in order. What it has not
//! heard must be covered by a resync that came after it was said, and soon. Nobody is disconnected; on the sender's own
//! node nothing is missing at all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::seen::{Log, Resync, Seen, Stay, Time};

/// So soon after the fault has ended, whoever missed something knows.
const SIGNAL: Duration = Duration::from_secs(5);
/// Two resyncs of one connection are two seconds apart where they are sent; a busy machine may bring them nearer.
const PACE: Duration = Duration::from_millis(1_500);
/// Own messages may take so long to come back: a fault of Redis is nobody's business on the same node.
const LOCAL: Duration = Duration::from_secs(5);
/// What is on its way when somebody leaves is for nobody; it is there within this.
const TRAVEL: Duration = Duration::from_secs(1);
/// So many complaints are shown.
const SHOWN: usize = 12;

/// What the oracle found.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Every breach of the contract.
    pub(crate) complaints: Vec<String>,
    /// So many messages arrived, and so many were missed and signalled.
    pub(crate) arrived: u64,
    pub(crate) missed: u64,
    /// As many of them by the end of the connection, which says to connect again.
    pub(crate) ended: u64,
    /// So many were missed by clients that had left the group when the hole was found: it is told to who is there.
    pub(crate) left: u64,
    /// How long after the fault's end the last one of those who missed something knew.
    pub(crate) signal: Duration,
    /// The longest way of an own message.
    pub(crate) local: Duration,
}

/// A sender in a group, as it is on its own node.
struct Source {
    node: usize,
    sent: Vec<Time>,
}

/// Judges what all clients of a test have seen; `healed`: when the fault had ended.
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
    /// Whether every client heard all that was said while it was there.
    pub(crate) fn is_complete(&self) -> bool {
        self.missed == self.ended && self.left == 0
    }

    /// Fails with what was found, if anything was.
    ///
    /// # Panics
    /// Then.
    pub(crate) fn must_be_clean(&self) {
        let shown = &self.complaints[..self.complaints.len().min(SHOWN)];
        assert!(self.complaints.is_empty(), "{} complaints, such as\n{}", self.complaints.len(), shown.join("\n"));
    }
}

fn micros(time: Time) -> Duration {
    Duration::from_micros(time)
}
