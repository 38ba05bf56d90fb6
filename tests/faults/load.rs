//! The number of clients and their message rate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::member::Member;

/// Clients per group.
const CROWD: usize = 20;

/// The size of a test.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Clients over all nodes.
    pub(crate) clients: usize,
    /// Groups over all clients.
    pub(crate) groups: usize,
    /// Time between two messages of a sender; each group has one sender on each node.
    pub(crate) every: Duration,
    /// Padding of each message, in bytes.
    pub(crate) padding: usize,
}

impl Load {
    /// The load of most tests; `CLUSTER_CLIENTS` raises it.
    pub(crate) fn some() -> Self {
        Self::of(160, Duration::from_millis(100))
    }

    /// A thousand clients in fifty groups.
    pub(crate) fn full() -> Self {
        Self::of(1_000, Duration::from_millis(100))
    }

    fn of(clients: usize, every: Duration) -> Self {
        let clients = clients.max(number("CLUSTER_CLIENTS"));
        Self { clients, groups: clients / CROWD, every, padding: 0 }
    }

    /// Returns the group of a client.
    pub(crate) fn group_of(&self, number: usize) -> String {
        format!("g{}", number % self.groups)
    }

    /// Makes a client send for as long as it may.
    pub(crate) fn send(self, member: Arc<Member>, group: String, talking: Arc<AtomicBool>) -> JoinHandle<()> {
        tokio::spawn(async move {
            let mut ticks = interval(self.every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while talking.load(Ordering::Relaxed) {
                ticks.tick().await;
                if !member.say(&group, self.padding).await {
                    return;
                }
            }
        })
    }
}

/// Returns a number from the environment, or 0 if it is not set.
pub(crate) fn number(name: &str) -> usize {
    std::env::var(name).ok().map_or(0, |value| value.parse().expect("a number"))
}
