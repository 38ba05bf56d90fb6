//! A model check of joins and leaves against the subscription task: no interleaving ends with members that receive
//! nothing.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use shuttle::thread;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::table::{SubscribeOutcome, SubscriptionTable};
use crate::id::GroupName;
use crate::sync::{Mutex, lock};

const ITERATIONS: usize = 3_000;

/// Stands in for the directory of the registry: the number of connections of this node in the group.
#[derive(Default)]
struct MemberCount(Mutex<usize>);

impl MemberCount {
    fn add(&self) {
        *lock(&self.0) += 1;
    }

    /// Returns whether the last member has left.
    fn remove(&self) -> bool {
        let mut count = lock(&self.0);
        *count -= 1;
        *count == 0
    }

    fn is_positive(&self) -> bool {
        *lock(&self.0) > 0
    }
}

/// The members of one group, the table under test, and the subscriptions that Redis has for this node.
struct Model {
    members: MemberCount,
    table: Mutex<SubscriptionTable>,
    at_redis: Mutex<HashSet<GroupName>>,
    group: GroupName,
    start: Instant,
    /// Whether the connection is lost once. Connections that are subscribed then get a resync.
    loses_connection: bool,
}

impl Model {
    fn new(loses_connection: bool) -> Arc<Self> {
        let table = Mutex::new(SubscriptionTable::default());
        lock(&table).set_online(|_| false);
        Arc::new(Self {
            members: MemberCount::default(),
            table,
            at_redis: Mutex::default(),
            group: GroupName::new("lobby").unwrap(),
            start: Instant::now(),
            loses_connection,
        })
    }

    fn has_members(&self, group: &GroupName) -> bool {
        *group == self.group && self.members.is_positive()
    }

    /// Joins in the order of the connection manager. A join that need not wait must receive at once.
    fn join(&self) -> Option<oneshot::Receiver<()>> {
        self.members.add();
        thread::yield_now();
        let outcome = lock(&self.table).subscribe(&self.group);
        match outcome {
            SubscribeOutcome::Pending(confirmed, _) => Some(confirmed),
            SubscribeOutcome::Subscribed => {
                let is_subscribed = lock(&self.at_redis).contains(&self.group);
                assert!(
                    is_subscribed || self.loses_connection,
                    "reported as subscribed, but Redis has no subscription"
                );
                None
            }
            SubscribeOutcome::Offline => None,
        }
    }

    fn leave(&self) {
        let is_last = self.members.remove();
        thread::yield_now();
        if is_last {
            lock(&self.table).unsubscribe(&self.group, self.start, |group| self.has_members(group));
        }
    }

    /// Runs one step of the task, `seconds` after the start.
    fn step(&self, seconds: u64) {
        let now = self.start + Duration::from_secs(seconds);
        let changes = lock(&self.table).next_changes(now, 10, |group| self.has_members(group));
        thread::yield_now();
        lock(&self.at_redis).extend(changes.subscribe.iter().cloned());
        lock(&self.table).confirm_subscribed(&changes.subscribe, now, |group| self.has_members(group));
        thread::yield_now();
        lock(&self.at_redis).retain(|group| !changes.unsubscribe.contains(group));
        lock(&self.table).confirm_unsubscribed(&changes.unsubscribe);
    }

    /// Loses the connection and opens another one.
    fn reconnect(&self) {
        lock(&self.table).set_offline();
        lock(&self.at_redis).clear();
        thread::yield_now();
        lock(&self.table).set_online(|group| self.has_members(group));
    }
}

/// Lets two connections join and leave while the task works; `members` of them stay.
fn check(members: usize, loses_connection: bool) {
    let model = Model::new(loses_connection);
    let clients: Vec<_> = (0..2)
        .map(|number| {
            let model = model.clone();
            thread::spawn(move || {
                let mut pending = Vec::new();
                for _ in 0..2 {
                    pending.extend(model.join());
                    model.leave();
                }
                if number < members {
                    pending.extend(model.join());
                }
                pending
            })
        })
        .collect();
    let task = {
        let model = model.clone();
        thread::spawn(move || {
            for step in 0..4 {
                model.step(step * 11);
                if loses_connection && step == 1 {
                    model.reconnect();
                }
            }
        })
    };
    let pending: Vec<_> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    task.join().unwrap();
    for step in 10..14 {
        model.step(step * 11);
    }
    let is_subscribed = lock(&model.at_redis).contains(&model.group);
    assert_eq!(is_subscribed, members > 0, "{members} members");
    for mut confirmed in pending {
        let result = confirmed.try_recv();
        assert!(result.is_ok() || loses_connection, "a join failed");
        assert_ne!(result, Err(oneshot::error::TryRecvError::Empty), "a join waits forever");
    }
}

#[test]
fn a_group_with_members_ends_up_subscribed() {
    shuttle::check_random(|| check(1, false), ITERATIONS);
    shuttle::check_random(|| check(2, false), ITERATIONS);
}

#[test]
fn a_group_without_members_ends_up_unsubscribed() {
    shuttle::check_random(|| check(0, false), ITERATIONS);
}

#[test]
fn a_lost_connection_does_not_change_the_outcome() {
    shuttle::check_random(|| check(1, true), ITERATIONS);
    shuttle::check_random(|| check(0, true), ITERATIONS);
}
