//! A model check of who joins and leaves against the task that hears: no interleaving ends with members that hear nothing.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use shuttle::thread;
use tokio::time::Instant;

use super::table::{SubscribeOutcome, SubscriptionTable};
use crate::id::GroupName;
use crate::sync::{Mutex, lock};

const ROUNDS: usize = 3_000;

/// Stands for the directory of the registry: how many connections of this node are in the group.
#[derive(Default)]
struct Directory(Mutex<usize>);

impl Directory {
    fn add(&self) {
        *lock(&self.0) += 1;
    }

    /// Whether the last connection has left.
    fn remove(&self) -> bool {
        let mut members = lock(&self.0);
        *members -= 1;
        *members == 0
    }

    fn has_members(&self) -> bool {
        *lock(&self.0) > 0
    }
}

/// The directory, the channels, and what Redis sends to this node.
struct World {
    directory: Directory,
    channels: Mutex<SubscriptionTable>,
    heard: Mutex<HashSet<GroupName>>,
    group: GroupName,
    start: Instant,
    /// The link is lost once: whoever heard then is told to reload.
    breaks: bool,
}

impl World {
    fn new(breaks: bool) -> Arc<Self> {
        let channels = Mutex::new(SubscriptionTable::default());
        lock(&channels).set_up(|_| false);
        let group = GroupName::new("lobby").unwrap();
        Arc::new(Self {
            directory: Directory::default(),
            channels,
            heard: Mutex::default(),
            group,
            start: Instant::now(),
            breaks,
        })
    }

    fn wants(&self, group: &GroupName) -> bool {
        *group == self.group && self.directory.has_members()
    }

    /// What the manager does, in its order. A join that need not wait hears at once.
    fn join(&self) -> Option<tokio::sync::oneshot::Receiver<()>> {
        self.directory.add();
        thread::yield_now();
        let asked = lock(&self.channels).subscribe(&self.group);
        match asked {
            SubscribeOutcome::Wait(waiting, _) => Some(waiting),
            SubscribeOutcome::Subscribed => {
                let hears = lock(&self.heard).contains(&self.group);
                assert!(hears || self.breaks, "it was said to hear, and does not");
                None
            }
            SubscribeOutcome::Down => None,
        }
    }

    fn leave(&self) {
        let last = self.directory.remove();
        thread::yield_now();
        if last {
            lock(&self.channels).unsubscribe(&self.group, self.start, |group| self.wants(group));
        }
    }

    /// One turn of the task, so much later.
    fn turn(&self, later: u64) {
        let now = self.start + Duration::from_secs(later);
        let plan = lock(&self.channels).next_changes(now, 10, |group| self.wants(group));
        thread::yield_now();
        lock(&self.heard).extend(plan.subscribe.iter().cloned());
        lock(&self.channels).confirm_subscribed(&plan.subscribe, now, |group| self.wants(group));
        thread::yield_now();
        lock(&self.heard).retain(|group| !plan.unsubscribe.contains(group));
        lock(&self.channels).confirm_unsubscribed(&plan.unsubscribe);
    }

    /// The link is lost, and there is another.
    fn break_link(&self) {
        lock(&self.channels).set_down();
        lock(&self.heard).clear();
        thread::yield_now();
        lock(&self.channels).set_up(|group| self.wants(group));
    }
}

/// Two connections come and go while the task works; `members` of them stay.
fn check(members: usize, breaks: bool) {
    let world = World::new(breaks);
    let clients: Vec<_> = (0..2)
        .map(|number| {
            let world = world.clone();
            thread::spawn(move || {
                let mut waiting = Vec::new();
                for _ in 0..2 {
                    waiting.extend(world.join());
                    world.leave();
                }
                if number < members {
                    waiting.extend(world.join());
                }
                waiting
            })
        })
        .collect();
    let task = {
        let world = world.clone();
        thread::spawn(move || {
            for turn in 0..4 {
                world.turn(turn * 11);
                if breaks && turn == 1 {
                    world.break_link();
                }
            }
        })
    };
    let waiting: Vec<_> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    task.join().unwrap();
    for turn in 10..14 {
        world.turn(turn * 11);
    }
    let heard = lock(&world.heard).contains(&world.group);
    assert_eq!(heard, members > 0, "{members} members");
    for mut waiting in waiting {
        let told = waiting.try_recv();
        assert!(told.is_ok() || breaks, "somebody waits for ever");
        assert_ne!(told, Err(tokio::sync::oneshot::error::TryRecvError::Empty), "somebody waits for ever");
    }
}

#[test]
fn whoever_stays_is_heard_in_the_end() {
    shuttle::check_random(|| check(1, false), ROUNDS);
    shuttle::check_random(|| check(2, false), ROUNDS);
}

#[test]
fn when_all_have_left_nothing_is_heard() {
    shuttle::check_random(|| check(0, false), ROUNDS);
}

#[test]
fn a_link_that_breaks_in_between_changes_nothing() {
    shuttle::check_random(|| check(1, true), ROUNDS);
    shuttle::check_random(|| check(0, true), ROUNDS);
}
