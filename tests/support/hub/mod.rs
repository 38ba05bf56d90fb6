//! A second backend: nodes of one process joined by a hub with delays.
//!
//! It implements the trait as a networked backend would: it decides in the middle of a delay, messages reach a node in
//! the order in which they were published, and it reads subscriptions when it acts.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agentcore::backend::{AdmissionTable, Deliver, PresenceTable, RateLimiter, ResyncReason};
use agentcore::message::{Except, OutboundMessage, Overflow, Recipient};
use agentcore::{GroupName, UserId};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

mod backend;

pub use backend::HubBackend;

/// The delay of every operation, in each direction.
pub const DELAY: Duration = Duration::from_millis(20);

/// The state that the nodes share.
#[derive(Default, Clone)]
pub struct Hub(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Held while presence messages are published, so that their order is that of the changes.
    presence: tokio::sync::Mutex<PresenceTable>,
    leaves: Notify,
}

#[derive(Default)]
struct State {
    nodes: Vec<Member>,
    admitted: AdmissionTable,
    rates: Option<RateLimiter>,
    broken: bool,
    published: usize,
}

/// A node, as the hub knows it.
struct Member {
    id: u64,
    inbox: mpsc::UnboundedSender<(Instant, OutboundMessage)>,
    deliver: Arc<dyn Deliver>,
    subscribed: HashSet<GroupName>,
    waiting: HashMap<GroupName, Vec<oneshot::Sender<()>>>,
    users: HashMap<UserId, usize>,
    groups: HashMap<GroupName, usize>,
    /// The node answers no requests.
    deaf: bool,
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hub")
    }
}

impl Hub {
    /// Returns the backend of one node.
    #[must_use]
    pub fn backend(&self) -> HubBackend {
        HubBackend::new(self.clone())
    }

    /// Returns the number of admitted connections over all nodes.
    #[must_use]
    pub fn admitted(&self) -> usize {
        self.state().admitted.connections()
    }

    /// Returns the number of admitted groups over all nodes; a group with members on two nodes counts twice.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.state().admitted.groups()
    }

    /// Makes the hub refuse or accept everything from here on.
    pub fn set_broken(&self, broken: bool) {
        self.state().broken = broken;
    }

    /// Makes the nodes answer no requests of the others from here on.
    pub fn deafen(&self) {
        self.state().nodes.iter_mut().for_each(|node| node.deaf = true);
    }

    /// Tells every node that it may have missed something: in these groups, or in all.
    pub fn lose(&self, groups: Option<&[GroupName]>) {
        let nodes: Vec<_> = self.state().nodes.iter().map(|node| node.deliver.clone()).collect();
        for node in nodes {
            node.resync(groups, ResyncReason::Backend);
        }
    }

    /// Delivers a text to every node as if another node had sent it.
    pub fn inject(&self, to: Recipient, envelope: &str) {
        self.post(
            None,
            &OutboundMessage::from_envelope(to, Except::default(), Overflow::Disconnect, envelope.as_bytes()),
        );
    }

    /// Lets no presence begin or end while the guard lives.
    pub async fn hold_presence(&self) -> tokio::sync::MutexGuard<'_, PresenceTable> {
        self.0.presence.lock().await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a message for every node that wants it, except `from`.
    fn post(&self, from: Option<u64>, message: &OutboundMessage) {
        let due = Instant::now() + DELAY / 2;
        for node in &self.state().nodes {
            let wanted = match &message.to {
                Recipient::Group(group) => node.subscribed.contains(group),
                _ => true,
            };
            if Some(node.id) != from && wanted {
                let _ = node.inbox.send((due, message.clone()));
            }
        }
    }
}
