//! Which groups this node hears, and who waits to hear one.
//!
//! Level-triggered: what is wanted is read when it is acted on (`wants`), never replayed from events, so first joins and
//! last leaves may be announced in any order. Whoever joins is in the directory before it asks here; whoever looks here
//! decides under the same lock: so either the one that asks finds the channel confirmed and kept, or it waits.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::id::GroupName;

/// So long after its last member has left, a group is still heard: a client that reconnects costs nothing.
const LINGER: Duration = Duration::from_secs(10);

/// The groups, by what is known of their channels.
#[derive(Debug, Default)]
pub(crate) struct SubscriptionTable {
    groups: HashMap<GroupName, SubscriptionState>,
    /// Those to ask for, each once; all that are wanted when there is a link again.
    requested: Vec<GroupName>,
    /// Those that nobody may want any more, by the time at which they are looked at.
    leaving: VecDeque<(Instant, GroupName)>,
    up: bool,
}

type Waiters = Vec<oneshot::Sender<()>>;

#[derive(Debug)]
enum SubscriptionState {
    /// It is asked for, or about to be.
    Requested(Waiters),
    /// Its messages arrive. `leaving`: when to look whether anybody wants it.
    Subscribed { leaving: Option<Instant> },
    /// It is being left. Whoever asks meanwhile waits until it is asked for again.
    Unsubscribing(Waiters),
}

/// The answer to who asks for a group.
#[derive(Debug)]
pub(crate) enum SubscribeOutcome {
    /// Its messages arrive.
    Subscribed,
    /// They will when this ends; `true`: somebody must tell the task.
    Wait(oneshot::Receiver<()>, bool),
    /// There is no link. It will be asked for when there is one.
    Down,
}

/// What to ask Redis for.
#[derive(Debug, Default)]
pub(crate) struct SubscriptionChanges {
    pub(crate) subscribe: Vec<GroupName>,
    pub(crate) unsubscribe: Vec<GroupName>,
}

impl SubscriptionTable {
    /// A connection of this node is in `group` now.
    pub(crate) fn subscribe(&mut self, group: &GroupName) -> SubscribeOutcome {
        let first = self.requested.is_empty();
        let waiters = match self.groups.get_mut(group) {
            Some(SubscriptionState::Subscribed { leaving }) => {
                *leaving = None;
                return SubscribeOutcome::Subscribed;
            }
            Some(SubscriptionState::Requested(waiters) | SubscriptionState::Unsubscribing(waiters)) => waiters,
            None => {
                self.groups.insert(group.clone(), SubscriptionState::Requested(Vec::new()));
                if self.up {
                    self.requested.push(group.clone());
                }
                match self.groups.get_mut(group) {
                    Some(SubscriptionState::Requested(waiters)) => waiters,
                    _ => return SubscribeOutcome::Down,
                }
            }
        };
        if !self.up {
            return SubscribeOutcome::Down;
        }
        let (sender, receiver) = oneshot::channel();
        waiters.push(sender);
        SubscribeOutcome::Wait(receiver, first)
    }

    /// The last connection of this node may have left `group`. True when somebody must tell the task.
    pub(crate) fn unsubscribe(&mut self, group: &GroupName, now: Instant, wants: impl Fn(&GroupName) -> bool) -> bool {
        if !self.up {
            // Nothing is asked for now, and what nobody wants never will be: so they do not pile up.
            if !wants(group) {
                self.groups.remove(group);
            }
            return false;
        }
        if let Some(SubscriptionState::Subscribed { leaving: leaving @ None }) = self.groups.get_mut(group) {
            let due = now + LINGER;
            *leaving = Some(due);
            self.leaving.push_back((due, group.clone()));
            return self.leaving.len() == 1;
        }
        false
    }

    /// When a group must be looked at.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.leaving.front().map(|(due, _)| *due)
    }

    /// Whether there is something to ask for.
    pub(crate) fn has_requests(&self) -> bool {
        self.up && !self.requested.is_empty()
    }

    /// What to do now: at most `most` groups at once.
    pub(crate) fn next_changes(
        &mut self,
        now: Instant,
        most: usize,
        wants: impl Fn(&GroupName) -> bool,
    ) -> SubscriptionChanges {
        let mut plan = SubscriptionChanges::default();
        if !self.up {
            return plan;
        }
        let rest = self.requested.split_off(most.min(self.requested.len()));
        plan.subscribe = std::mem::replace(&mut self.requested, rest);
        while plan.unsubscribe.len() < most && self.leaving.front().is_some_and(|(due, _)| *due <= now) {
            let Some((due, group)) = self.leaving.pop_front() else { break };
            match self.groups.get_mut(&group) {
                // Somebody came and went meanwhile: a later entry stands for it.
                Some(SubscriptionState::Subscribed { leaving }) if *leaving == Some(due) => {
                    if wants(&group) {
                        *leaving = None;
                    } else {
                        self.groups.insert(group.clone(), SubscriptionState::Unsubscribing(Vec::new()));
                        plan.unsubscribe.push(group);
                    }
                }
                _ => {}
            }
        }
        plan
    }

    /// The messages of these groups arrive now.
    pub(crate) fn confirm_subscribed(
        &mut self,
        groups: &[GroupName],
        now: Instant,
        wants: impl Fn(&GroupName) -> bool,
    ) {
        for group in groups {
            let Some(held) = self.groups.get_mut(group) else { continue };
            if let SubscriptionState::Requested(waiters) = held {
                for waiter in std::mem::take(waiters) {
                    let _ = waiter.send(());
                }
                let leaving = (!wants(group)).then(|| now + LINGER);
                *held = SubscriptionState::Subscribed { leaving };
                if let Some(due) = leaving {
                    self.leaving.push_back((due, group.clone()));
                }
            }
        }
    }

    /// No more messages of these groups arrive.
    pub(crate) fn confirm_unsubscribed(&mut self, groups: &[GroupName]) {
        for group in groups {
            match self.groups.remove(group) {
                Some(SubscriptionState::Unsubscribing(waiters)) if !waiters.is_empty() => {
                    self.groups.insert(group.clone(), SubscriptionState::Requested(waiters));
                    self.requested.push(group.clone());
                }
                Some(SubscriptionState::Unsubscribing(_)) | None => {}
                Some(held) => drop(self.groups.insert(group.clone(), held)),
            }
        }
    }

    /// There is no link any more: nobody waits for it.
    pub(crate) fn set_down(&mut self) {
        self.up = false;
        self.requested.clear();
        self.leaving.clear();
        for held in self.groups.values_mut() {
            // Whoever waited has joined, and learns that it hears nothing yet.
            *held = SubscriptionState::Requested(Vec::new());
        }
    }

    /// There is a link, which hears nothing yet: all that is wanted is asked for.
    pub(crate) fn set_up(&mut self, wants: impl Fn(&GroupName) -> bool) {
        self.groups.retain(|group, _| wants(group));
        self.groups.values_mut().for_each(|held| *held = SubscriptionState::Requested(Vec::new()));
        self.requested = self.groups.keys().cloned().collect();
        self.up = true;
    }

    /// How many groups it knows.
    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }
}
