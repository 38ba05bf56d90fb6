//! How many clients there are, and how much they talk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::member::Member;

/// So many clients are in a group.
const CROWD: usize = 20;

/// The size of a test.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Clients of all nodes.
    pub(crate) clients: usize,
    /// Groups of all clients.
    pub(crate) groups: usize,
    /// Between two messages of a sender; each group has one on each node.
    pub(crate) every: Duration,
    /// Bytes that each message has more.
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

    /// The group of a client.
    pub(crate) fn group_of(&self, number: usize) -> String {
        format!("g{}", number % self.groups)
    }

    /// Lets a client talk for as long as it may.
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

/// A number of the environment; 0 when it is not there.
pub(crate) fn number(name: &str) -> usize {
    std::env::var(name).ok().map_or(0, |value| value.parse().expect("a number"))
}
