//! What a connection may have missed, and the `agentcore.resync` that tells it.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::id::GroupName;

/// Clients load again after a random part of this, so that they do not all ask at once.
const SPREAD_MS: u64 = 2000;
/// At most one message in this time for each connection.
const PACE: Duration = Duration::from_secs(2);
/// More groups than this are told as all of them.
const MAX_GROUPS: usize = 64;

/// Why connections may have missed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LossReason {
    /// The connection did not read fast enough.
    Overflow,
    /// A node vanished.
    Peer,
    /// The backend lost something.
    Backend,
}

/// The groups in which something may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Affected {
    Groups(Vec<GroupName>),
    All,
}

/// The state of one connection that has missed something; most have none.
#[derive(Debug)]
pub(super) struct ResyncState {
    /// `None` once it was told.
    open: Option<(Affected, LossReason)>,
    told_at: Option<Instant>,
}

impl ResyncState {
    pub(super) fn new() -> Self {
        Self { open: None, told_at: None }
    }

    /// Notes another gap.
    pub(super) fn note(&mut self, gaps: Affected, reason: LossReason) {
        self.open = Some(match (self.open.take(), gaps) {
            (None, gaps) => (gaps, reason),
            (Some((Affected::All, before)), _) | (Some((_, before)), Affected::All) => {
                (Affected::All, before.max(reason))
            }
            (Some((Affected::Groups(mut known), before)), Affected::Groups(more)) => {
                known.extend(more.into_iter().filter(|group| !known.contains(group)).collect::<Vec<_>>());
                let gaps = if known.len() > MAX_GROUPS { Affected::All } else { Affected::Groups(known) };
                (gaps, before.max(reason))
            }
        });
    }

    /// Whether there is something to be told, now or later.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Takes what is to be told now.
    pub(super) fn take(&mut self, now: Instant) -> Option<Resync> {
        if self.told_at.is_some_and(|told_at| now < told_at + PACE) {
            return None;
        }
        let (gaps, reason) = self.open.take()?;
        self.told_at = Some(now);
        let groups = match gaps {
            Affected::Groups(groups) => Some(groups),
            Affected::All => None,
        };
        let reason = match reason {
            LossReason::Overflow => "overflow",
            LossReason::Peer => "peer",
            LossReason::Backend => "backend",
        };
        Some(Resync { groups, reason, spread_ms: SPREAD_MS })
    }
}

/// The data of the message.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Resync {
    /// Which groups; `None`: all.
    groups: Option<Vec<GroupName>>,
    reason: &'static str,
    spread_ms: u64,
}

impl Resync {
    pub(super) const TYPE: &'static str = "agentcore.resync";
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test ends so")]

    use super::*;

    fn these(names: &[&str]) -> Affected {
        Affected::Groups(names.iter().map(|name| GroupName::new(name).unwrap()).collect())
    }

    #[test]
    fn gaps_are_told_together_and_at_most_once_in_two_seconds() {
        let (mut missed, now) = (ResyncState::new(), Instant::now());
        missed.note(these(&["a", "b"]), LossReason::Overflow);
        missed.note(these(&["b", "c"]), LossReason::Backend);
        let told = missed.take(now).unwrap();
        assert_eq!(
            (told.groups, told.reason),
            (Some(vec!["a", "b", "c"].into_iter().map(|n| GroupName::new(n).unwrap()).collect()), "backend")
        );
        missed.note(these(&["a"]), LossReason::Overflow);
        assert_eq!(missed.take(now + PACE / 2), None);
        assert!(missed.is_open());
        missed.note(Affected::All, LossReason::Peer);
        let told = missed.take(now + PACE).unwrap();
        assert_eq!((told.groups, told.reason), (None, "peer"));
        assert!(!missed.is_open());
    }
}
