//! Messages that a connection may have missed, and the `agentcore.resync` that notifies its client.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::id::GroupName;

/// Time in milliseconds over which clients spread their reloads, so that they do not all reload at once.
const SPREAD_MS: u64 = 2000;
/// Shortest time between two resyncs of one connection.
const MIN_INTERVAL: Duration = Duration::from_secs(2);
/// Largest number of groups that a resync lists. More groups are reported as all.
const MAX_GROUPS: usize = 64;

/// Why connections may have missed messages, the most severe reason last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LossReason {
    /// The client did not read fast enough.
    Overflow,
    /// A node vanished.
    Peer,
    /// The backend lost messages.
    Backend,
}

/// The groups in which messages may have been missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Affected {
    Groups(Vec<GroupName>),
    All,
}

/// The losses of one connection. Most connections have none.
#[derive(Debug, Default)]
pub(super) struct ResyncState {
    /// Losses of which the client was not notified yet.
    pending: Option<(Affected, LossReason)>,
    sent_at: Option<Instant>,
}

/// Data of the `agentcore.resync` message.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct ResyncMessage {
    /// `None` for all groups.
    groups: Option<Vec<GroupName>>,
    reason: &'static str,
    spread_ms: u64,
}

impl ResyncMessage {
    pub(super) const TYPE: &'static str = "agentcore.resync";
}

impl ResyncState {
    /// Adds a loss to those that are pending.
    pub(super) fn record(&mut self, affected: Affected, reason: LossReason) {
        self.pending = Some(match (self.pending.take(), affected) {
            (None, affected) => (affected, reason),
            (Some((Affected::All, earlier)), _) | (Some((_, earlier)), Affected::All) => {
                (Affected::All, earlier.max(reason))
            }
            (Some((Affected::Groups(mut groups), earlier)), Affected::Groups(more)) => {
                groups.extend(more.into_iter().filter(|group| !groups.contains(group)).collect::<Vec<_>>());
                let affected = if groups.len() > MAX_GROUPS { Affected::All } else { Affected::Groups(groups) };
                (affected, earlier.max(reason))
            }
        });
    }

    /// Whether the client is yet to be notified, now or later.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Takes the pending losses, unless the previous resync is too recent.
    pub(super) fn take(&mut self, now: Instant) -> Option<ResyncMessage> {
        if self.sent_at.is_some_and(|sent_at| now < sent_at + MIN_INTERVAL) {
            return None;
        }
        let (affected, reason) = self.pending.take()?;
        self.sent_at = Some(now);
        let groups = match affected {
            Affected::Groups(groups) => Some(groups),
            Affected::All => None,
        };
        let reason = match reason {
            LossReason::Overflow => "overflow",
            LossReason::Peer => "peer",
            LossReason::Backend => "backend",
        };
        Some(ResyncMessage { groups, reason, spread_ms: SPREAD_MS })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn groups(names: &[&str]) -> Vec<GroupName> {
        names.iter().map(|name| GroupName::new(name).unwrap()).collect()
    }

    #[test]
    fn losses_are_reported_together_and_at_most_once_in_two_seconds() {
        let (mut state, now) = (ResyncState::default(), Instant::now());
        state.record(Affected::Groups(groups(&["a", "b"])), LossReason::Overflow);
        state.record(Affected::Groups(groups(&["b", "c"])), LossReason::Backend);
        let resync = state.take(now).unwrap();
        assert_eq!((resync.groups, resync.reason), (Some(groups(&["a", "b", "c"])), "backend"));
        state.record(Affected::Groups(groups(&["a"])), LossReason::Overflow);
        assert_eq!(state.take(now + MIN_INTERVAL / 2), None);
        assert!(state.is_pending());
        state.record(Affected::All, LossReason::Peer);
        let resync = state.take(now + MIN_INTERVAL).unwrap();
        assert_eq!((resync.groups, resync.reason), (None, "peer"));
        assert!(!state.is_pending());
    }
}
