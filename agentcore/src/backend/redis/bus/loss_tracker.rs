//! Losses of messages on their way to this node, collected until its connections get a resync.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::backend::redis::keys::Channel;
use crate::id::GroupName;

/// Shortest time between two resyncs; they go through the queues of the workers, which may be full already.
const RESYNC_INTERVAL: Duration = Duration::from_millis(100);
/// Number of affected groups above which all connections get a resync.
const MAX_GROUPS: usize = 4_096;

/// The groups that need a resync.
#[derive(Debug, Default)]
pub(super) struct LossTracker {
    groups: HashSet<GroupName>,
    /// Whether all connections need a resync, because the recipients of a lost message are unknown.
    all: bool,
    last_resync: Option<Instant>,
}

impl LossTracker {
    /// Records a loss on a channel.
    pub(super) fn record(&mut self, channel: Channel) {
        match channel {
            Channel::Group(_) if self.all => {}
            Channel::Group(group) => {
                self.groups.insert(group);
                if self.groups.len() > MAX_GROUPS {
                    self.record_all();
                }
            }
            // On the channel of nodes it may have been a question that delivers a message, or the report of a loss.
            Channel::Users | Channel::Everyone | Channel::Nodes | Channel::Node(_) => self.record_all(),
        }
    }

    /// Records a loss whose channel is unknown.
    pub(super) fn record_all(&mut self) {
        self.all = true;
        self.groups = HashSet::new();
    }

    /// Returns the time at which the next resync is due; `None` if no loss is recorded.
    pub(super) fn due_resync(&self) -> Option<Instant> {
        self.needs_resync().then(|| self.last_resync.map_or_else(Instant::now, |last| last + RESYNC_INTERVAL))
    }

    fn needs_resync(&self) -> bool {
        self.all || !self.groups.is_empty()
    }

    /// Takes the recorded losses if a resync is due: `Some(None)` if all connections need it, otherwise the groups.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Option<Vec<GroupName>>> {
        if !self.needs_resync() || self.last_resync.is_some_and(|last| now < last + RESYNC_INTERVAL) {
            return None;
        }
        self.last_resync = Some(now);
        let groups = std::mem::take(&mut self.groups);
        Some(if std::mem::take(&mut self.all) { None } else { Some(groups.into_iter().collect()) })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops where it fails")]
mod tests {
    use super::*;

    fn group(number: usize) -> Channel {
        Channel::Group(GroupName::new(format!("g{number}")).unwrap())
    }

    #[test]
    fn losses_are_collected_and_bounded() {
        let (mut losses, now) = (LossTracker::default(), Instant::now());
        assert_eq!((losses.due_resync(), losses.take_due(now)), (None, None));
        losses.record(group(0));
        losses.record(group(0));
        assert_eq!(losses.take_due(now).unwrap().unwrap().len(), 1, "the first is due at once, each group once");
        losses.record(group(1));
        let due = now + RESYNC_INTERVAL;
        assert_eq!((losses.due_resync(), losses.take_due(now + RESYNC_INTERVAL / 2)), (Some(due), None));
        for number in 0..=MAX_GROUPS {
            losses.record(group(number));
            assert!(losses.groups.len() <= MAX_GROUPS);
        }
        assert_eq!(losses.take_due(due), Some(None), "all connections");
        assert_eq!(losses.due_resync(), None);
        for channel in [Channel::Users, Channel::Everyone, Channel::Nodes, Channel::Node(7)] {
            losses.record(group(0));
            losses.record(channel);
            assert_eq!(losses.take_due(Instant::now() + RESYNC_INTERVAL * 2), Some(None));
            losses.last_resync = None;
        }
    }
}
