//! LocalAdmission that Redis does not know of yet: what was given without asking it, and what was given back.

use std::collections::HashMap;
use std::net::IpAddr;

use super::super::driver::Change;
use crate::id::UserId;

/// What is owed to Redis: for each user and address, how many places more there are than it knows of, or fewer. What comes
/// and goes while it is away comes to nothing here.
#[derive(Debug, Default)]
pub(super) struct UnsyncedAdmissions(HashMap<(UserId, Option<IpAddr>), isize>);

impl UnsyncedAdmissions {
    /// A place was given.
    pub(super) fn take(&mut self, user: UserId, ip: Option<IpAddr>) {
        self.add(user, ip, 1);
    }

    /// One was given back.
    pub(super) fn release(&mut self, user: UserId, ip: Option<IpAddr>) {
        self.add(user, ip, -1);
    }

    fn add(&mut self, user: UserId, ip: Option<IpAddr>, by: isize) {
        let key = (user, ip);
        let owed = self.0.get(&key).copied().unwrap_or(0) + by;
        if owed == 0 {
            self.0.remove(&key);
        } else {
            self.0.insert(key, owed);
        }
    }

    /// Whether nothing is owed.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets all of it.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes all of it, what is given back first; says how many places that is.
    pub(super) fn take_changes(&mut self, changes: &mut Vec<Change>) -> usize {
        let (back, given): (Vec<_>, Vec<_>) = self.0.drain().partition(|(_, owed)| *owed < 0);
        for ((user, ip), owed) in back {
            changes.extend((owed..0).map(|_| Change::Release(user.clone(), ip)));
        }
        let releases = changes.len();
        for ((user, ip), owed) in given {
            changes.extend((0..owed).map(|_| Change::Take(user.clone(), ip)));
        }
        releases
    }
}
