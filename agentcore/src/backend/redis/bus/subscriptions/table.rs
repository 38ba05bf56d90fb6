//! The state of the subscription to each group.
//!
//! It is level-triggered: whether a group has members is read when the table acts (`has_members`) and never derived
//! from earlier calls, so first joins and last leaves may be announced in any order. A connection that joins is in the
//! directory before it calls [`subscribe`](SubscriptionTable::subscribe), and the table reads the directory under the
//! same lock. Therefore the connection either finds the subscription confirmed and kept, or waits for it.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::id::GroupName;

/// Time that a subscription is kept after the last member has left, so that a client that reconnects needs no new one.
const LINGER: Duration = Duration::from_secs(10);

/// The subscriptions of this node.
#[derive(Debug, Default)]
pub(super) struct SubscriptionTable {
    groups: HashMap<GroupName, SubscriptionState>,
    /// Groups to subscribe to, each once; after a reconnect all groups with members.
    requested: Vec<GroupName>,
    /// Subscriptions that may be unused, by the time of their check.
    lingering: VecDeque<(Instant, GroupName)>,
    /// Whether there is a subscriber connection.
    online: bool,
}

type Waiters = Vec<oneshot::Sender<()>>;

#[derive(Debug)]
enum SubscriptionState {
    /// The group is in `requested`, or its subscription is being made.
    Requested(Waiters),
    /// The messages of the group arrive. If `check_at` is set, the subscription ends then unless the group has members.
    Subscribed { check_at: Option<Instant> },
    /// The subscription is being ended. It is requested again if there are waiters then.
    Unsubscribing(Waiters),
}

/// The result of [`SubscriptionTable::subscribe`].
#[derive(Debug)]
pub(super) enum SubscribeOutcome {
    /// The messages of the group arrive.
    Subscribed,
    /// The subscription is confirmed by the receiver; the flag says whether the task must be woken.
    Pending(oneshot::Receiver<()>, bool),
    /// There is no connection. The subscription is made after a reconnect.
    Offline,
}

/// The next changes to make on the subscriber connection.
#[derive(Debug, Default)]
pub(super) struct SubscriptionChanges {
    pub(super) subscribe: Vec<GroupName>,
    pub(super) unsubscribe: Vec<GroupName>,
}

impl SubscriptionTable {
    /// Requests the subscription of a group; called after a connection has joined it.
    pub(super) fn subscribe(&mut self, group: &GroupName) -> SubscribeOutcome {
        let is_first = self.requested.is_empty();
        let state = self.groups.entry(group.clone()).or_insert_with(|| {
            if self.online {
                self.requested.push(group.clone());
            }
            SubscriptionState::Requested(Vec::new())
        });
        let waiters = match state {
            SubscriptionState::Subscribed { check_at } => {
                *check_at = None;
                return SubscribeOutcome::Subscribed;
            }
            SubscriptionState::Requested(waiters) | SubscriptionState::Unsubscribing(waiters) => waiters,
        };
        if !self.online {
            return SubscribeOutcome::Offline;
        }
        let (sender, receiver) = oneshot::channel();
        waiters.push(sender);
        SubscribeOutcome::Pending(receiver, is_first)
    }

    /// Lets a subscription linger; called after the last member may have left. Returns whether the task must be woken.
    pub(super) fn unsubscribe(
        &mut self,
        group: &GroupName,
        now: Instant,
        has_members: impl Fn(&GroupName) -> bool,
    ) -> bool {
        if !self.online {
            // Bounds memory: without a connection, nothing else removes groups without members.
            if !has_members(group) {
                self.groups.remove(group);
            }
            return false;
        }
        if let Some(SubscriptionState::Subscribed { check_at: check_at @ None }) = self.groups.get_mut(group) {
            let due = now + LINGER;
            *check_at = Some(due);
            self.lingering.push_back((due, group.clone()));
            return self.lingering.len() == 1;
        }
        false
    }

    /// Returns the time at which the next lingering subscription must be checked.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.lingering.front().map(|(due, _)| *due)
    }

    /// Returns whether subscriptions are requested and there is a connection.
    pub(super) fn has_requests(&self) -> bool {
        self.online && !self.requested.is_empty()
    }

    /// Takes the next changes to make, at most `limit` groups of each kind.
    pub(super) fn next_changes(
        &mut self,
        now: Instant,
        limit: usize,
        has_members: impl Fn(&GroupName) -> bool,
    ) -> SubscriptionChanges {
        let mut changes = SubscriptionChanges::default();
        if !self.online {
            return changes;
        }
        let rest = self.requested.split_off(limit.min(self.requested.len()));
        changes.subscribe = std::mem::replace(&mut self.requested, rest);
        while changes.unsubscribe.len() < limit
            && let Some((due, group)) = self.lingering.pop_front_if(|(due, _)| *due <= now)
        {
            match self.groups.get_mut(&group) {
                // Otherwise a connection has joined meanwhile; a later entry exists if it has left again.
                Some(SubscriptionState::Subscribed { check_at }) if *check_at == Some(due) => {
                    if has_members(&group) {
                        *check_at = None;
                    } else {
                        self.groups.insert(group.clone(), SubscriptionState::Unsubscribing(Vec::new()));
                        changes.unsubscribe.push(group);
                    }
                }
                _ => {}
            }
        }
        changes
    }

    /// Records that the messages of these groups arrive now.
    pub(super) fn confirm_subscribed(
        &mut self,
        groups: &[GroupName],
        now: Instant,
        has_members: impl Fn(&GroupName) -> bool,
    ) {
        for group in groups {
            let Some(state) = self.groups.get_mut(group) else { continue };
            if let SubscriptionState::Requested(waiters) = state {
                for waiter in std::mem::take(waiters) {
                    let _ = waiter.send(());
                }
                let check_at = (!has_members(group)).then(|| now + LINGER);
                *state = SubscriptionState::Subscribed { check_at };
                if let Some(due) = check_at {
                    self.lingering.push_back((due, group.clone()));
                }
            }
        }
    }

    /// Records that the messages of these groups do not arrive any more.
    pub(super) fn confirm_unsubscribed(&mut self, groups: &[GroupName]) {
        for group in groups {
            match self.groups.remove(group) {
                Some(SubscriptionState::Unsubscribing(waiters)) if !waiters.is_empty() => {
                    self.groups.insert(group.clone(), SubscriptionState::Requested(waiters));
                    self.requested.push(group.clone());
                }
                Some(SubscriptionState::Unsubscribing(_)) | None => {}
                Some(state) => drop(self.groups.insert(group.clone(), state)),
            }
        }
    }

    /// Records that the connection is lost, and fails all waiters.
    pub(super) fn set_offline(&mut self) {
        self.online = false;
        self.requested.clear();
        self.lingering.clear();
        for state in self.groups.values_mut() {
            *state = SubscriptionState::Requested(Vec::new());
        }
    }

    /// Records that there is a connection without subscriptions, and requests all groups that have members.
    pub(super) fn set_online(&mut self, has_members: impl Fn(&GroupName) -> bool) {
        self.groups.retain(|group, _| has_members(group));
        self.groups.values_mut().for_each(|state| *state = SubscriptionState::Requested(Vec::new()));
        self.requested = self.groups.keys().cloned().collect();
        self.online = true;
    }

    /// Returns the number of groups in the table.
    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }
}
