//! Who is present in which group: the rules, without a clock or a network.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::id::{ConnectionId, GroupName, UserId};
use crate::message::{Except, OutboundMessage, Overflow, Recipient};

use super::PresenceExit;

/// How long a user may be gone without having left: a page that reloads is back sooner.
pub const GRACE: Duration = Duration::from_secs(3);

/// A connection that makes its user present in a group.
#[derive(Debug, Clone)]
pub struct Presence {
    /// Where.
    pub group: GroupName,
    /// Who.
    pub user: UserId,
    /// The connection.
    pub connection: ConnectionId,
    /// The JSON envelope that the others get when it is the user's first connection.
    pub joined: bytes::Bytes,
    /// The one they get when the last has gone; kept with the entry, so that another node can send it.
    pub left: bytes::Bytes,
}

/// The present users of a cluster whose state is in one process.
#[derive(Debug, Default)]
pub struct PresenceTable {
    present: HashMap<(GroupName, UserId), PresentUser>,
    /// Leaves that wait, by their time: the grace is the same for all, so the oldest is at the front.
    leaving: VecDeque<(Instant, GroupName, UserId)>,
    /// How many users have a connection that makes them present, of each group that has one.
    counts: HashMap<GroupName, usize>,
}

#[derive(Debug)]
struct PresentUser {
    connections: Vec<ConnectionId>,
    left: bytes::Bytes,
    /// When the leave is due; set while there is no connection.
    due: Option<Instant>,
}

impl PresenceTable {
    /// Adds a connection; returns the join message if it is to be sent.
    pub fn enter(&mut self, presence: Presence) -> Option<OutboundMessage> {
        let Presence { group, user, connection, joined, left } = presence;
        let announced = self.present.contains_key(&(group.clone(), user.clone()));
        let entry = self.present.entry((group.clone(), user.clone())).or_insert_with(|| PresentUser {
            connections: Vec::new(),
            left: left.clone(),
            due: None,
        });
        entry.due = None;
        entry.left = left;
        if entry.connections.is_empty() {
            *self.counts.entry(group.clone()).or_default() += 1;
        }
        if !entry.connections.contains(&connection) {
            entry.connections.push(connection);
        }
        (!announced).then(|| to_others(group, user, &joined))
    }

    /// Removes a connection; returns the leave message if it is to be sent now.
    pub fn exit(&mut self, exit: &PresenceExit<'_>, now: Instant) -> Option<OutboundMessage> {
        let key = (exit.group.clone(), exit.user.clone());
        let entry = self.present.get_mut(&key)?;
        let was_present = !entry.connections.is_empty();
        entry.connections.retain(|connection| *connection != exit.connection);
        if was_present && entry.connections.is_empty() {
            count_down(&mut self.counts, exit.group);
        }
        if !entry.connections.is_empty() || entry.due.is_some() {
            return None;
        }
        if exit.lost {
            let due = now + GRACE;
            entry.due = Some(due);
            self.leaving.push_back((due, key.0, key.1));
            return None;
        }
        let entry = self.present.remove(&key)?;
        Some(to_others(key.0, key.1, &entry.left))
    }

    /// How many users are present in a group; one who may come back within the grace is not.
    #[must_use]
    pub fn count(&self, group: &GroupName) -> usize {
        self.counts.get(group).copied().unwrap_or(0)
    }

    /// When the next leave is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.leaving.front().map(|(due, _, _)| *due)
    }

    /// Takes a leave message that is due, if its user has not come back.
    pub fn take_due(&mut self, now: Instant) -> Option<OutboundMessage> {
        while self.leaving.front().is_some_and(|(due, _, _)| *due <= now) {
            let (due, group, user) = self.leaving.pop_front()?;
            let key = (group, user);
            // A user who came back and went again waits behind a later entry.
            if self.present.get(&key).is_some_and(|entry| entry.due == Some(due)) {
                let entry = self.present.remove(&key)?;
                return Some(to_others(key.0, key.1, &entry.left));
            }
        }
        None
    }
}

fn count_down(counts: &mut HashMap<GroupName, usize>, group: &GroupName) {
    if let Some(count) = counts.get_mut(group) {
        *count -= 1;
        if *count == 0 {
            counts.remove(group);
        }
    }
}

fn to_others(group: GroupName, user: UserId, envelope: &[u8]) -> OutboundMessage {
    let except = Except { connection: None, users: vec![user] };
    OutboundMessage::from_envelope(Recipient::Group(group), except, Overflow::Disconnect, envelope)
}
