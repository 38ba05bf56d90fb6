//! Who is present over all leases, and who may come back.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::backend::redis::keys::Channel;
use crate::id::{GroupName, UserId};

/// A user in a group.
pub(super) type PresenceKey = (GroupName, UserId);

/// What is published when it is over.
pub(super) type Messages = Vec<(Channel, Bytes)>;

/// The presences of an epoch.
#[derive(Default)]
pub(super) struct StubPresence {
    /// On how many leases.
    leases: HashMap<PresenceKey, usize>,
    /// How many users, of each group that has one.
    counts: HashMap<GroupName, usize>,
    /// When a grace ends, and what is published then.
    graces: HashMap<PresenceKey, (Instant, Bytes)>,
}

impl StubPresence {
    /// One lease more has it. Whether it begins: it is the first, and there was no grace.
    pub(super) fn enter(&mut self, place: &PresenceKey) -> bool {
        let leases = self.leases.entry(place.clone()).or_default();
        *leases += 1;
        if *leases > 1 {
            return false;
        }
        *self.counts.entry(place.0.clone()).or_default() += 1;
        self.graces.remove(place).is_none()
    }

    /// One lease less has it. Returns what is to be published now; with a `grace`, later.
    pub(super) fn leave(
        &mut self,
        place: PresenceKey,
        left: Bytes,
        grace: Option<Duration>,
    ) -> Option<(Channel, Bytes)> {
        if one_less(&mut self.leases, &place) > 0 {
            return None;
        }
        one_less(&mut self.counts, &place.0);
        match grace {
            Some(grace) => {
                self.graces.insert(place, (Instant::now() + grace, left));
                None
            }
            None => Some((Channel::Group(place.0), left)),
        }
    }

    /// Ends the graces that are over.
    pub(super) fn end_graces(&mut self) -> Messages {
        let now = Instant::now();
        let mut over: Vec<_> = self.graces.extract_if(|_, (due, _)| *due <= now).collect();
        over.sort_unstable_by_key(|(_, (due, _))| *due);
        over.into_iter().map(|((group, _), (_, left))| (Channel::Group(group), left)).collect()
    }

    /// How soon the next one ends.
    pub(super) fn next_left(&self) -> Option<Duration> {
        let due = self.graces.values().map(|(due, _)| *due).min()?;
        Some(due.saturating_duration_since(Instant::now()))
    }

    pub(super) fn count(&self, group: &GroupName) -> usize {
        self.counts.get(group).copied().unwrap_or(0)
    }
}

fn one_less<K: Eq + std::hash::Hash>(counts: &mut HashMap<K, usize>, key: &K) -> usize {
    let Some(count) = counts.get_mut(key) else { return 0 };
    *count = count.saturating_sub(1);
    let left = *count;
    if left == 0 {
        counts.remove(key);
    }
    left
}
