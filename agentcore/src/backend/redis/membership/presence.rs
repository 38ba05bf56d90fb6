//! Who is present through connections of this node, and what of it Redis knows.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;

use super::super::driver::{Change, EnterPresence};
use crate::backend::{Presence, PresenceExit};
use crate::id::{ConnectionId, GroupName, UserId};

type PresenceKey = (GroupName, UserId);

/// Written from two sides: entering and leaving change what is, flushing changes what is written.
#[derive(Debug, Default)]
pub(super) struct PresenceState {
    present: HashMap<PresenceKey, LocalPresence>,
    /// Those that are to be written, in the order in which they came, and those that are to be taken out again.
    coming: BTreeMap<u64, PresenceKey>,
    leaving: BTreeMap<u64, PresenceKey>,
    next: u64,
    /// How many users are present in each group, of this node alone.
    counts: HashMap<GroupName, usize>,
}

#[derive(Debug)]
struct LocalPresence {
    connections: Vec<ConnectionId>,
    joined: Bytes,
    left: Bytes,
    written: bool,
    lost: bool,
    /// Where it stands among those.
    changed: Option<u64>,
}

impl PresenceState {
    /// A connection enters; `joined` and `left` are payloads.
    pub(super) fn enter(&mut self, presence: &Presence, joined: Bytes, left: Bytes) {
        let key = (presence.group.clone(), presence.user.clone());
        let entry = self.present.entry(key.clone()).or_insert_with(|| LocalPresence {
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
    pub(super) fn exit(&mut self, exit: &PresenceExit<'_>) {
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
            self.coming.remove(&at);
        }
    }

    fn change(&mut self, key: PresenceKey) {
        let Some(entry) = self.present.get_mut(&key) else { return };
        if entry.changed.is_none() {
            entry.changed = Some(self.next);
            let changed = if entry.written { &mut self.leaving } else { &mut self.coming };
            changed.insert(self.next, key);
            self.next += 1;
        }
    }

    /// Whether there is something to write.
    pub(super) fn is_changed(&self) -> bool {
        !self.coming.is_empty() || !self.leaving.is_empty()
    }

    /// Whether there is something to take out.
    pub(super) fn is_leaving(&self) -> bool {
        !self.leaving.is_empty()
    }

    /// Takes at most `most` of those that have come, to write them; they count as written. `again`: see [`EnterPresence`].
    pub(super) fn take_entered(&mut self, most: usize, again: bool) -> Vec<Change> {
        let mut changes = Vec::new();
        while changes.len() < most
            && let Some((_, key)) = self.coming.pop_first()
        {
            let Some(entry) = self.present.get_mut(&key) else { continue };
            (entry.written, entry.changed) = (true, None);
            let (joined, left) = (entry.joined.clone(), entry.left.clone());
            let (group, user) = key;
            changes.push(Change::Enter(EnterPresence { group, user, joined, left, again }));
        }
        changes
    }

    /// Takes at most `most` of those that have left.
    pub(super) fn take_left(&mut self, most: usize) -> Vec<Change> {
        let mut changes = Vec::new();
        while changes.len() < most
            && let Some((_, key)) = self.leaving.pop_first()
        {
            let Some(entry) = self.present.get_mut(&key) else { continue };
            entry.changed = None;
            // Or it is back again.
            if entry.connections.is_empty() {
                let lost = entry.lost;
                self.present.remove(&key);
                let (group, user) = key;
                changes.push(Change::Exit { group, user, lost });
            }
        }
        changes
    }

    /// One that was taken to be written was not.
    pub(super) fn not_entered(&mut self, group: &GroupName, user: &UserId) {
        let key = (group.clone(), user.clone());
        if let Some(entry) = self.present.get_mut(&key) {
            entry.written = false;
            self.change(key);
        }
    }

    /// One that was taken to be taken out is there still.
    pub(super) fn not_left(&mut self, group: &GroupName, user: &UserId, lost: bool) {
        let key = (group.clone(), user.clone());
        // Whoever comes back brings payloads.
        let (joined, left) = (Bytes::new(), Bytes::new());
        let entry = LocalPresence { connections: Vec::new(), joined, left, written: true, lost, changed: None };
        self.present.entry(key.clone()).or_insert(entry);
        self.change(key);
    }

    /// Redis knows nothing of it any more, or under another lease only.
    pub(super) fn forget_written(&mut self) {
        self.present.retain(|_, entry| !entry.connections.is_empty());
        self.coming.clear();
        self.leaving.clear();
        for (key, entry) in &mut self.present {
            (entry.written, entry.changed) = (false, Some(self.next));
            self.coming.insert(self.next, key.clone());
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

    fn enter(presences: &mut PresenceState, number: usize) {
        let (group, user) = key(number);
        let connection = ConnectionId { incarnation: 1, serial: number as u64 };
        let presence = Presence { group, user, connection, joined: Bytes::new(), left: Bytes::new() };
        presences.enter(&presence, Bytes::new(), Bytes::new());
    }

    fn exit(presences: &mut PresenceState, number: usize) {
        let (group, user) = &key(number);
        let connection = ConnectionId { incarnation: 1, serial: number as u64 };
        presences.exit(&PresenceExit { group, user, connection, lost: false });
    }

    #[test]
    fn who_comes_and_goes_while_nothing_is_written_leaves_nothing() {
        let mut presences = PresenceState::default();
        enter(&mut presences, 0);
        assert_eq!(presences.take_entered(9, false).len(), 1);
        for number in 1..100 {
            enter(&mut presences, number);
            exit(&mut presences, number);
        }
        assert_eq!((presences.present.len(), presences.coming.len()), (1, 0));
        // What Redis knows is taken back, once.
        exit(&mut presences, 0);
        enter(&mut presences, 0);
        exit(&mut presences, 0);
        enter(&mut presences, 2);
        let (left, entered) = (presences.take_left(9), presences.take_entered(9, false));
        assert!(
            matches!((&left[..], &entered[..]), ([Change::Exit { .. }], [Change::Enter(_)])),
            "{left:?} {entered:?}"
        );
        assert!(!presences.is_changed() && presences.count(&key(0).0) == 1);
    }

    #[test]
    fn what_was_not_written_is_written_later() {
        let mut presences = PresenceState::default();
        enter(&mut presences, 0);
        presences.take_entered(9, false);
        exit(&mut presences, 0);
        enter(&mut presences, 1);
        presences.take_left(9);
        presences.take_entered(9, false);
        let ((group, gone), (_, come)) = (key(0), key(1));
        presences.not_left(&group, &gone, true);
        presences.not_entered(&group, &come);
        let (left, entered) = (presences.take_left(9), presences.take_entered(9, false));
        assert!(matches!(&left[..], [Change::Exit { user, lost: true, .. }] if *user == gone), "{left:?}");
        assert!(matches!(&entered[..], [Change::Enter(entering)] if entering.user == come), "{entered:?}");
        // Who comes back before it is taken out was never gone.
        presences.not_left(&group, &gone, false);
        enter(&mut presences, 0);
        assert!(presences.take_left(9).is_empty() && presences.take_entered(9, false).is_empty());
    }
}
