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
pub(crate) struct Channels {
    groups: HashMap<GroupName, Held>,
    /// Those to ask for, each once; all that are wanted when there is a link again.
    asked: Vec<GroupName>,
    /// Those that nobody may want any more, by the time at which they are looked at.
    leaving: VecDeque<(Instant, GroupName)>,
    up: bool,
}

type Waiters = Vec<oneshot::Sender<()>>;

#[derive(Debug)]
enum Held {
    /// It is asked for, or about to be.
    Asked(Waiters),
    /// Its messages arrive. `leaving`: when to look whether anybody wants it.
    Heard { leaving: Option<Instant> },
    /// It is being left. Whoever asks meanwhile waits until it is asked for again.
    Dropping(Waiters),
}

/// The answer to who asks for a group.
#[derive(Debug)]
pub(crate) enum Asked {
    /// Its messages arrive.
    Heard,
    /// They will when this ends; `true`: somebody must tell the task.
    Wait(oneshot::Receiver<()>, bool),
    /// There is no link. It will be asked for when there is one.
    Down,
}

/// What to ask Redis for.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) subscribe: Vec<GroupName>,
    pub(crate) unsubscribe: Vec<GroupName>,
}

impl Channels {
    /// A connection of this node is in `group` now.
    pub(crate) fn ask(&mut self, group: &GroupName) -> Asked {
        let first = self.asked.is_empty();
        let waiters = match self.groups.get_mut(group) {
            Some(Held::Heard { leaving }) => {
                *leaving = None;
                return Asked::Heard;
            }
            Some(Held::Asked(waiters) | Held::Dropping(waiters)) => waiters,
            None => {
                self.groups.insert(group.clone(), Held::Asked(Vec::new()));
                if self.up {
                    self.asked.push(group.clone());
                }
                match self.groups.get_mut(group) {
                    Some(Held::Asked(waiters)) => waiters,
                    _ => return Asked::Down,
                }
            }
        };
        if !self.up {
            return Asked::Down;
        }
        let (sender, receiver) = oneshot::channel();
        waiters.push(sender);
        Asked::Wait(receiver, first)
    }

    /// The last connection of this node may have left `group`. True when somebody must tell the task.
    pub(crate) fn left(&mut self, group: &GroupName, now: Instant, wants: impl Fn(&GroupName) -> bool) -> bool {
        if !self.up {
            // Nothing is asked for now, and what nobody wants never will be: so they do not pile up.
            if !wants(group) {
                self.groups.remove(group);
            }
            return false;
        }
        if let Some(Held::Heard { leaving: leaving @ None }) = self.groups.get_mut(group) {
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
    pub(crate) fn is_asked(&self) -> bool {
        self.up && !self.asked.is_empty()
    }

    /// What to do now: at most `most` groups at once.
    pub(crate) fn plan(&mut self, now: Instant, most: usize, wants: impl Fn(&GroupName) -> bool) -> Plan {
        let mut plan = Plan::default();
        if !self.up {
            return plan;
        }
        let rest = self.asked.split_off(most.min(self.asked.len()));
        plan.subscribe = std::mem::replace(&mut self.asked, rest);
        while plan.unsubscribe.len() < most && self.leaving.front().is_some_and(|(due, _)| *due <= now) {
            let Some((due, group)) = self.leaving.pop_front() else { break };
            match self.groups.get_mut(&group) {
                // Somebody came and went meanwhile: a later entry stands for it.
                Some(Held::Heard { leaving }) if *leaving == Some(due) => {
                    if wants(&group) {
                        *leaving = None;
                    } else {
                        self.groups.insert(group.clone(), Held::Dropping(Vec::new()));
                        plan.unsubscribe.push(group);
                    }
                }
                _ => {}
            }
        }
        plan
    }

    /// The messages of these groups arrive now.
    pub(crate) fn heard(&mut self, groups: &[GroupName], now: Instant, wants: impl Fn(&GroupName) -> bool) {
        for group in groups {
            let Some(held) = self.groups.get_mut(group) else { continue };
            if let Held::Asked(waiters) = held {
                for waiter in std::mem::take(waiters) {
                    let _ = waiter.send(());
                }
                let leaving = (!wants(group)).then(|| now + LINGER);
                *held = Held::Heard { leaving };
                if let Some(due) = leaving {
                    self.leaving.push_back((due, group.clone()));
                }
            }
        }
    }

    /// No more messages of these groups arrive.
    pub(crate) fn dropped(&mut self, groups: &[GroupName]) {
        for group in groups {
            match self.groups.remove(group) {
                Some(Held::Dropping(waiters)) if !waiters.is_empty() => {
                    self.groups.insert(group.clone(), Held::Asked(waiters));
                    self.asked.push(group.clone());
                }
                Some(Held::Dropping(_)) | None => {}
                Some(held) => drop(self.groups.insert(group.clone(), held)),
            }
        }
    }

    /// There is no link any more: nobody waits for it.
    pub(crate) fn set_down(&mut self) {
        self.up = false;
        self.asked.clear();
        self.leaving.clear();
        for held in self.groups.values_mut() {
            // Whoever waited has joined, and learns that it hears nothing yet.
            *held = Held::Asked(Vec::new());
        }
    }

    /// There is a link, which hears nothing yet: all that is wanted is asked for.
    pub(crate) fn set_up(&mut self, wants: impl Fn(&GroupName) -> bool) {
        self.groups.retain(|group, _| wants(group));
        self.groups.values_mut().for_each(|held| *held = Held::Asked(Vec::new()));
        self.asked = self.groups.keys().cloned().collect();
        self.up = true;
    }

    /// How many groups it knows.
    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }
}
