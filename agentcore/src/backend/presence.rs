//! Presence: who is in which group. The rules, without a clock or a network.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::counts::{count, decrement, increment};
use crate::id::{ConnectionId, GroupName, UserId};
use crate::message::{Except, OutboundMessage, Overflow, Recipient};

/// Time between the loss of a user's last connection and the leave message, so that a page reload does not announce a
/// leave.
pub const PRESENCE_GRACE: Duration = Duration::from_secs(3);

/// A connection that makes its user present in a group.
#[derive(Debug, Clone)]
pub struct Presence {
    /// The group.
    pub group: GroupName,
    /// The user.
    pub user: UserId,
    /// The connection.
    pub connection: ConnectionId,
    /// JSON envelope that the other members get when this is the user's first connection in the group.
    pub joined: bytes::Bytes,
    /// JSON envelope that the other members get after the user's last connection has gone. It is stored with the
    /// presence, so that another node can send it.
    pub left: bytes::Bytes,
}

/// The end of a connection's presence in a group.
#[derive(Debug, Clone, Copy)]
pub struct PresenceExit<'a> {
    /// The group.
    pub group: &'a GroupName,
    /// The user.
    pub user: &'a UserId,
    /// The connection that made the user present.
    pub connection: ConnectionId,
    /// Whether the connection was lost rather than left the group. If so, the leave message is delayed by [`PRESENCE_GRACE`].
    pub lost: bool,
}

/// The present users of a cluster whose state is in one process.
#[derive(Debug)]
pub struct PresenceTable {
    grace: Duration,
    present: HashMap<(GroupName, UserId), PresentUser>,
    /// Pending leaves by due time. The grace period is the same for all, so the earliest is at the front.
    leaving: VecDeque<(Instant, GroupName, UserId)>,
    /// Number of users with a connection, for each group that has one.
    counts: HashMap<GroupName, usize>,
}

#[derive(Debug)]
struct PresentUser {
    connections: Vec<ConnectionId>,
    left: bytes::Bytes,
    /// Due time of the leave message; set while there is no connection.
    due: Option<Instant>,
}

impl Default for PresenceTable {
    fn default() -> Self {
        Self::with_grace(PRESENCE_GRACE)
    }
}

impl PresenceTable {
    /// Creates an empty table with a grace period other than [`PRESENCE_GRACE`].
    pub(crate) fn with_grace(grace: Duration) -> Self {
        Self { grace, present: HashMap::new(), leaving: VecDeque::new(), counts: HashMap::new() }
    }

    /// Adds a connection. Returns the join message if it must be sent.
    pub fn enter(&mut self, presence: Presence) -> Option<OutboundMessage> {
        let Presence { group, user, connection, joined, left } = presence;
        let mut is_new = false;
        let entry = self.present.entry((group.clone(), user.clone())).or_insert_with(|| {
            is_new = true;
            PresentUser { connections: Vec::new(), left: bytes::Bytes::new(), due: None }
        });
        (entry.left, entry.due) = (left, None);
        if entry.connections.is_empty() {
            increment(&mut self.counts, group.clone());
        }
        if !entry.connections.contains(&connection) {
            entry.connections.push(connection);
        }
        is_new.then(|| to_others(group, user, &joined))
    }

    /// Removes a connection. Returns the leave message if it must be sent now.
    pub fn exit(&mut self, exit: &PresenceExit<'_>, now: Instant) -> Option<OutboundMessage> {
        let key = (exit.group.clone(), exit.user.clone());
        let entry = self.present.get_mut(&key)?;
        let was_present = !entry.connections.is_empty();
        entry.connections.retain(|connection| *connection != exit.connection);
        if was_present && entry.connections.is_empty() {
            decrement(&mut self.counts, key.0.clone());
        }
        if !entry.connections.is_empty() || entry.due.is_some() {
            return None;
        }
        if exit.lost {
            let due = now + self.grace;
            entry.due = Some(due);
            self.leaving.push_back((due, key.0, key.1));
            return None;
        }
        let entry = self.present.remove(&key)?;
        Some(to_others(key.0, key.1, &entry.left))
    }

    /// Returns the number of users present in a group, without those who are within [`PRESENCE_GRACE`].
    #[must_use]
    pub fn count(&self, group: &GroupName) -> usize {
        count(&self.counts, group)
    }

    /// Returns the time at which the next leave message is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.leaving.front().map(|(due, _, _)| *due)
    }

    /// Takes the next leave message that is due. Skips users who have come back.
    pub fn take_due(&mut self, now: Instant) -> Option<OutboundMessage> {
        while self.leaving.front().is_some_and(|(due, _, _)| *due <= now) {
            let (due, group, user) = self.leaving.pop_front()?;
            let key = (group, user);
            // A user who came back and left again has a later entry.
            if self.present.get(&key).is_some_and(|entry| entry.due == Some(due)) {
                let entry = self.present.remove(&key)?;
                return Some(to_others(key.0, key.1, &entry.left));
            }
        }
        None
    }
}

fn to_others(group: GroupName, user: UserId, envelope: &[u8]) -> OutboundMessage {
    let except = Except { connection: None, users: vec![user] };
    OutboundMessage::from_envelope(Recipient::Group(group), except, Overflow::Disconnect, envelope)
}
