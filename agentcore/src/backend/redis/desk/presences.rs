//! Who is present through connections of this node, and what of it Redis knows.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use super::super::driver::{Change, Entering};
use crate::backend::{Exit, Presence};
use crate::id::{ConnectionId, GroupName, UserId};

type Key = (GroupName, UserId);

/// Written from two sides: entering and leaving change what is, flushing changes what is written.
#[derive(Debug, Default)]
pub(super) struct Presences {
    present: HashMap<Key, Entry>,
    /// Where the two differ, in the order in which they came to.
    changed: Vec<Key>,
    pending: HashSet<Key>,
    /// How many users are present in each group, of this node alone.
    counts: HashMap<GroupName, usize>,
}

#[derive(Debug)]
struct Entry {
    connections: Vec<ConnectionId>,
    joined: Bytes,
    left: Bytes,
    written: bool,
    lost: bool,
}

impl Presences {
    /// A connection enters; `joined` and `left` are payloads.
    pub(super) fn enter(&mut self, presence: &Presence, joined: Bytes, left: Bytes) {
        let key = (presence.group.clone(), presence.user.clone());
        let entry = self.present.entry(key.clone()).or_insert_with(|| Entry {
            connections: Vec::new(),
            joined: joined.clone(),
            left: left.clone(),
            written: false,
            lost: false,
        });
        (entry.joined, entry.left) = (joined, left);
        if entry.connections.is_empty() {
            *self.counts.entry(presence.group.clone()).or_default() += 1;
        }
        if !entry.connections.contains(&presence.connection) {
            entry.connections.push(presence.connection);
        }
        if !entry.written {
            self.change(key);
        }
    }

    /// A connection leaves.
    pub(super) fn exit(&mut self, exit: &Exit<'_>) {
        let key = (exit.group.clone(), exit.user.clone());
        let Some(entry) = self.present.get_mut(&key) else { return };
        let before = entry.connections.len();
        entry.connections.retain(|connection| *connection != exit.connection);
        if before == entry.connections.len() || !entry.connections.is_empty() {
            return;
        }
        entry.lost = exit.lost;
        if let Some(count) = self.counts.get_mut(exit.group) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.counts.remove(exit.group);
            }
        }
        self.change(key);
    }

    fn change(&mut self, key: Key) {
        if self.pending.insert(key.clone()) {
            self.changed.push(key);
        }
    }

    /// Whether there is something to write.
    pub(super) fn is_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Takes at most `most` changes to write; they count as written. `again`: see [`Entering`].
    pub(super) fn take_changes(&mut self, most: usize, again: bool) -> Vec<Change> {
        let rest = self.changed.split_off(most.min(self.changed.len()));
        let mut changes = Vec::new();
        for key in std::mem::replace(&mut self.changed, rest) {
            self.pending.remove(&key);
            let Some(entry) = self.present.get_mut(&key) else { continue };
            let (group, user) = key.clone();
            match (entry.connections.is_empty(), entry.written) {
                (false, false) => {
                    entry.written = true;
                    let (joined, left) = (entry.joined.clone(), entry.left.clone());
                    changes.push(Change::Enter(Entering { group, user, joined, left, again }));
                }
                (true, true) => {
                    changes.push(Change::Exit { group, user, lost: entry.lost });
                    self.present.remove(&key);
                }
                (true, false) => drop(self.present.remove(&key)),
                (false, true) => {}
            }
        }
        changes
    }

    /// Redis knows nothing of it any more, or under another lease only.
    pub(super) fn forget_written(&mut self) {
        self.present.retain(|_, entry| !entry.connections.is_empty());
        self.present.values_mut().for_each(|entry| entry.written = false);
        self.changed = self.present.keys().cloned().collect();
        self.pending = self.changed.iter().cloned().collect();
    }

    /// How many users are present in a group through connections of this node.
    pub(super) fn count(&self, group: &GroupName) -> usize {
        self.counts.get(group).copied().unwrap_or(0)
    }
}
