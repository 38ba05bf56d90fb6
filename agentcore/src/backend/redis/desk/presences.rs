//! Who is present through connections of this node, and what of it Redis knows.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;

use super::super::driver::{Change, Entering};
use crate::backend::{Exit, Presence};
use crate::id::{ConnectionId, GroupName, UserId};

type Key = (GroupName, UserId);

/// Written from two sides: entering and leaving change what is, flushing changes what is written.
#[derive(Debug, Default)]
pub(super) struct Presences {
    present: HashMap<Key, Entry>,
    /// Where the two may differ, in the order in which they came to.
    changed: BTreeMap<u64, Key>,
    next: u64,
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
    /// Where it stands among the changed.
    changed: Option<u64>,
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
            changed: None,
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
        if entry.written {
            self.change(key);
            return;
        }
        // Nobody was told that it came: while Redis is away, those who come and go do not pile up.
        if let Some(at) = self.present.remove(&key).and_then(|entry| entry.changed) {
            self.changed.remove(&at);
        }
    }

    fn change(&mut self, key: Key) {
        let Some(entry) = self.present.get_mut(&key) else { return };
        if entry.changed.is_none() {
            entry.changed = Some(self.next);
            self.changed.insert(self.next, key);
            self.next += 1;
        }
    }

    /// Whether there is something to write.
    pub(super) fn is_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Takes at most `most` changes to write; they count as written. `again`: see [`Entering`].
    pub(super) fn take_changes(&mut self, most: usize, again: bool) -> Vec<Change> {
        let mut changes = Vec::new();
        while changes.len() < most
            && let Some((_, key)) = self.changed.pop_first()
        {
            let Some(entry) = self.present.get_mut(&key) else { continue };
            entry.changed = None;
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
                // It left and is back again.
                _ => {}
            }
        }
        changes
    }

    /// Redis knows nothing of it any more, or under another lease only.
    pub(super) fn forget_written(&mut self) {
        self.present.retain(|_, entry| !entry.connections.is_empty());
        self.changed.clear();
        for (key, entry) in &mut self.present {
            (entry.written, entry.changed) = (false, Some(self.next));
            self.changed.insert(self.next, key.clone());
            self.next += 1;
        }
    }

    /// How many users are present in a group through connections of this node.
    pub(super) fn count(&self, group: &GroupName) -> usize {
        self.counts.get(group).copied().unwrap_or(0)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops where it fails")]
mod tests {
    use super::*;

    fn key(number: usize) -> (GroupName, UserId) {
        (GroupName::new("g").unwrap(), UserId::new(format!("u{number}")).unwrap())
    }

    fn enter(presences: &mut Presences, number: usize) {
        let (group, user) = key(number);
        let connection = ConnectionId { incarnation: 1, serial: number as u64 };
        let presence = Presence { group, user, connection, joined: Bytes::new(), left: Bytes::new() };
        presences.enter(&presence, Bytes::new(), Bytes::new());
    }

    fn exit(presences: &mut Presences, number: usize) {
        let (group, user) = &key(number);
        let connection = ConnectionId { incarnation: 1, serial: number as u64 };
        presences.exit(&Exit { group, user, connection, lost: false });
    }

    #[test]
    fn who_comes_and_goes_while_nothing_is_written_leaves_nothing() {
        let mut presences = Presences::default();
        enter(&mut presences, 0);
        assert_eq!(presences.take_changes(9, false).len(), 1);
        for number in 1..100 {
            enter(&mut presences, number);
            exit(&mut presences, number);
        }
        assert_eq!((presences.present.len(), presences.changed.len()), (1, 0));
        // What Redis knows is taken back, once.
        exit(&mut presences, 0);
        enter(&mut presences, 0);
        exit(&mut presences, 0);
        enter(&mut presences, 2);
        let changes = presences.take_changes(9, false);
        assert!(matches!(&changes[..], [Change::Exit { .. }, Change::Enter(_)]), "{changes:?}");
        assert!(!presences.is_changed() && presences.count(&key(0).0) == 1);
    }
}
