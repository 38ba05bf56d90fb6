//! The users that connections of this node make present in groups, and the part of it that Redis knows.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;

use super::super::driver::{Change, EnterPresence};
use crate::backend::{Presence, PresenceExit};
use crate::id::{ConnectionId, GroupName, UserId};

type PresenceKey = (GroupName, UserId);

/// The presences of this node. `enter` and `exit` change the actual state; the `take_` and `restore_` methods change
/// what counts as written to Redis.
#[derive(Debug, Default)]
pub(super) struct PresenceState {
    present: HashMap<PresenceKey, NodePresence>,
    /// Presences to write, in order of their changes.
    entering: BTreeMap<u64, PresenceKey>,
    /// Presences to remove from Redis, in order of their changes.
    leaving: BTreeMap<u64, PresenceKey>,
    next_position: u64,
    /// Number of users that this node makes present, for each group that has one.
    counts: HashMap<GroupName, usize>,
}

#[derive(Debug)]
struct NodePresence {
    connections: Vec<ConnectionId>,
    joined: Bytes,
    left: Bytes,
    is_written: bool,
    lost: bool,
    /// Position in `leaving` if the presence is written, otherwise in `entering`; `None` if it is in neither.
    position: Option<u64>,
}

impl PresenceState {
    /// Adds a connection. `joined` and `left` are payloads for the channel of the group.
    pub(super) fn enter(&mut self, presence: &Presence, joined: Bytes, left: Bytes) {
        let key = (presence.group.clone(), presence.user.clone());
        let entry = self.present.entry(key.clone()).or_insert_with(|| NodePresence {
            connections: Vec::new(),
            joined: Bytes::new(),
            left: Bytes::new(),
            is_written: false,
            lost: false,
            position: None,
        });
        (entry.joined, entry.left) = (joined, left);
        if entry.connections.is_empty() {
            *self.counts.entry(presence.group.clone()).or_default() += 1;
        }
        if !entry.connections.contains(&presence.connection) {
            entry.connections.push(presence.connection);
        }
        if !entry.is_written {
            self.enqueue(key);
        }
    }

    /// Removes a connection.
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
        if entry.is_written {
            self.enqueue(key);
            return;
        }
        // Redis does not know this presence. Forgetting it keeps the state small while Redis is unreachable.
        if let Some(position) = self.present.remove(&key).and_then(|entry| entry.position) {
            self.entering.remove(&position);
        }
    }

    /// Returns whether there is anything to write.
    pub(super) fn has_changes(&self) -> bool {
        !self.entering.is_empty() || !self.leaving.is_empty()
    }

    /// Returns whether there is anything to remove from Redis.
    pub(super) fn has_exits(&self) -> bool {
        !self.leaving.is_empty()
    }

    /// Takes up to `max` presences to write, and counts them as written. See [`EnterPresence::is_replay`].
    pub(super) fn take_entered(&mut self, max: usize, is_replay: bool) -> Vec<Change> {
        let mut changes = Vec::new();
        while changes.len() < max
            && let Some((_, key)) = self.entering.pop_first()
        {
            let Some(entry) = self.present.get_mut(&key) else { continue };
            (entry.is_written, entry.position) = (true, None);
            let (joined, left) = (entry.joined.clone(), entry.left.clone());
            let (group, user) = key;
            changes.push(Change::Enter(EnterPresence { group, user, joined, left, is_replay }));
        }
        changes
    }

    /// Takes up to `max` presences to remove from Redis, and forgets them.
    pub(super) fn take_exited(&mut self, max: usize) -> Vec<Change> {
        let mut changes = Vec::new();
        while changes.len() < max
            && let Some((_, key)) = self.leaving.pop_first()
        {
            let Some(entry) = self.present.get_mut(&key) else { continue };
            entry.position = None;
            // Skips a user who has come back.
            if entry.connections.is_empty() {
                let lost = entry.lost;
                self.present.remove(&key);
                let (group, user) = key;
                changes.push(Change::Exit { group, user, lost });
            }
        }
        changes
    }

    /// Queues a presence again that [`take_entered`](Self::take_entered) returned and that was not written.
    pub(super) fn restore_entered(&mut self, group: &GroupName, user: &UserId) {
        let key = (group.clone(), user.clone());
        if let Some(entry) = self.present.get_mut(&key) {
            entry.is_written = false;
            self.enqueue(key);
        }
    }

    /// Queues a presence again that [`take_exited`](Self::take_exited) returned and that was not removed.
    pub(super) fn restore_exited(&mut self, group: &GroupName, user: &UserId, lost: bool) {
        let key = (group.clone(), user.clone());
        // Needs no payloads: a user who comes back brings new ones.
        let (joined, left) = (Bytes::new(), Bytes::new());
        let entry = NodePresence { connections: Vec::new(), joined, left, is_written: true, lost, position: None };
        self.present.entry(key.clone()).or_insert(entry);
        self.enqueue(key);
    }

    /// Counts every presence as not written, because the node has a new lease.
    pub(super) fn reset_written(&mut self) {
        self.present.retain(|_, entry| !entry.connections.is_empty());
        self.entering.clear();
        self.leaving.clear();
        for (key, entry) in &mut self.present {
            (entry.is_written, entry.position) = (false, Some(self.next_position));
            self.entering.insert(self.next_position, key.clone());
            self.next_position += 1;
        }
    }

    /// Returns the number of users in a group that this node makes present.
    pub(super) fn count(&self, group: &GroupName) -> usize {
        self.counts.get(group).copied().unwrap_or(0)
    }

    fn enqueue(&mut self, key: PresenceKey) {
        let Some(entry) = self.present.get_mut(&key) else { return };
        if entry.position.is_none() {
            entry.position = Some(self.next_position);
            let queue = if entry.is_written { &mut self.leaving } else { &mut self.entering };
            queue.insert(self.next_position, key);
            self.next_position += 1;
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops where it fails")]
mod tests {
    use super::*;

    fn key(number: usize) -> (GroupName, UserId) {
        (GroupName::new("g").unwrap(), UserId::new(format!("u{number}")).unwrap())
    }

    fn enter(state: &mut PresenceState, number: usize) {
        let (group, user) = key(number);
        let connection = ConnectionId { incarnation: 1, serial: number as u64 };
        let presence = Presence { group, user, connection, joined: Bytes::new(), left: Bytes::new() };
        state.enter(&presence, Bytes::new(), Bytes::new());
    }

    fn exit(state: &mut PresenceState, number: usize) {
        let (group, user) = &key(number);
        let connection = ConnectionId { incarnation: 1, serial: number as u64 };
        state.exit(&PresenceExit { group, user, connection, lost: false });
    }

    #[test]
    fn a_presence_that_ends_before_it_is_written_leaves_nothing() {
        let mut state = PresenceState::default();
        enter(&mut state, 0);
        assert_eq!(state.take_entered(9, false).len(), 1);
        for number in 1..100 {
            enter(&mut state, number);
            exit(&mut state, number);
        }
        assert_eq!((state.present.len(), state.entering.len()), (1, 0));
        // A written presence is removed once.
        exit(&mut state, 0);
        enter(&mut state, 0);
        exit(&mut state, 0);
        enter(&mut state, 2);
        let (left, entered) = (state.take_exited(9), state.take_entered(9, false));
        assert!(
            matches!((&left[..], &entered[..]), ([Change::Exit { .. }], [Change::Enter(_)])),
            "{left:?} {entered:?}"
        );
        assert!(!state.has_changes() && state.count(&key(0).0) == 1);
    }

    #[test]
    fn changes_that_were_not_written_are_queued_again() {
        let mut state = PresenceState::default();
        enter(&mut state, 0);
        state.take_entered(9, false);
        exit(&mut state, 0);
        enter(&mut state, 1);
        state.take_exited(9);
        state.take_entered(9, false);
        let ((group, gone), (_, new)) = (key(0), key(1));
        state.restore_exited(&group, &gone, true);
        state.restore_entered(&group, &new);
        let (left, entered) = (state.take_exited(9), state.take_entered(9, false));
        assert!(matches!(&left[..], [Change::Exit { user, lost: true, .. }] if *user == gone), "{left:?}");
        assert!(matches!(&entered[..], [Change::Enter(entering)] if entering.user == new), "{entered:?}");
        // A user who comes back before the removal is not removed.
        state.restore_exited(&group, &gone, false);
        enter(&mut state, 0);
        assert!(state.take_exited(9).is_empty() && state.take_entered(9, false).is_empty());
    }
}
