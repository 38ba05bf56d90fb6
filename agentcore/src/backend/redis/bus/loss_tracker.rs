//! What was lost on the way to this node, until its connections are told.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::backend::redis::keys::Channel;
use crate::id::GroupName;

/// So often it is told at most: telling goes through the queues of the workers, which may be what is full.
const PACE: Duration = Duration::from_millis(100);
/// More groups than this are told as all of them.
const MOST: usize = 4_096;

/// Collected between two tellings.
#[derive(Debug, Default)]
pub(super) struct LossTracker {
    groups: HashSet<GroupName>,
    /// For whom it was nobody knows.
    all: bool,
    told_at: Option<Instant>,
}

impl LossTracker {
    /// Something on a channel was lost.
    pub(super) fn note(&mut self, channel: Channel) {
        match channel {
            Channel::Group(_) if self.all => {}
            Channel::Group(group) => {
                self.groups.insert(group);
                if self.groups.len() > MOST {
                    self.note_all();
                }
            }
            // On the channel of nodes it may have been a question that delivers something, or the news that something is lost.
            Channel::Users | Channel::Everyone | Channel::Nodes | Channel::Node(_) => self.note_all(),
        }
    }

    /// Something was lost, and nobody knows where.
    pub(super) fn note_all(&mut self) {
        self.all = true;
        self.groups = HashSet::new();
    }

    /// When it is to be told, if there is something.
    pub(super) fn due(&self) -> Option<Instant> {
        self.is_open().then(|| self.told_at.map_or_else(Instant::now, |told_at| told_at + PACE))
    }

    fn is_open(&self) -> bool {
        self.all || !self.groups.is_empty()
    }

    /// What is to be told now: in which groups, or anywhere.
    pub(super) fn take(&mut self, now: Instant) -> Option<Option<Vec<GroupName>>> {
        if !self.is_open() || self.told_at.is_some_and(|told_at| now < told_at + PACE) {
            return None;
        }
        self.told_at = Some(now);
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
    fn what_is_lost_is_collected_and_bounded() {
        let (mut missing, now) = (LossTracker::default(), Instant::now());
        assert_eq!((missing.due(), missing.take(now)), (None, None));
        missing.note(group(0));
        missing.note(group(0));
        assert_eq!(missing.take(now).unwrap().unwrap().len(), 1, "the first at once, and each group once");
        missing.note(group(1));
        assert_eq!((missing.due(), missing.take(now + PACE / 2)), (Some(now + PACE), None));
        for number in 0..=MOST {
            missing.note(group(number));
            assert!(missing.groups.len() <= MOST);
        }
        assert_eq!(missing.take(now + PACE), Some(None), "all of them");
        assert_eq!(missing.due(), None);
        for channel in [Channel::Users, Channel::Everyone, Channel::Nodes, Channel::Node(7)] {
            missing.note(group(0));
            missing.note(channel);
            assert_eq!(missing.take(Instant::now() + PACE * 2), Some(None));
            missing.told_at = None;
        }
    }
}
