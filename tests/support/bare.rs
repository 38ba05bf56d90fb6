//! A node without connections: a backend, and a recorder of what it delivers.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use agentcore::backend::{AdmissionLimits, Answer, Async, Backend, Deliver, Node, Publish, Question, ResyncReason};
use agentcore::message::{Except, OutboundMessage, Overflow, Recipient};
use agentcore::{GroupName, Supervisor, UserId};
use tokio::sync::mpsc;

/// Records the deliveries of a backend, and has the members that the test sets.
#[derive(Debug)]
pub struct Bare {
    messages: mpsc::UnboundedSender<OutboundMessage>,
    members: Mutex<HashMap<GroupName, usize>>,
    held: Mutex<HashSet<String>>,
    /// The number of answers that wait for a stuck worker.
    waiting: Arc<AtomicUsize>,
    /// The number of resyncs.
    pub resyncs: AtomicUsize,
    /// The affected groups of each resync; `None`: all.
    told: Mutex<Vec<Option<Vec<GroupName>>>>,
}

impl Bare {
    /// Returns a node, and a receiver of its deliveries.
    #[must_use]
    pub fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<OutboundMessage>) {
        let (messages, got) = mpsc::unbounded_channel();
        let (members, held, waiting, resyncs, told) = Default::default();
        (Arc::new(Self { messages, members, held, waiting, resyncs, told }), got)
    }

    /// Blocks deliveries to a group or user of this name from now on, as a stuck worker does.
    pub fn hold(&self, name: &str) {
        self.held.lock().expect("no panic").insert(name.to_owned());
    }

    /// Returns the number of answers that wait for a stuck worker.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    fn is_held(&self, message: &OutboundMessage) -> bool {
        let name = match &message.to {
            Recipient::Group(group) => group.as_str(),
            Recipient::User(user) => user.as_str(),
            Recipient::Connection(_) | Recipient::Everyone => "",
        };
        self.held.lock().expect("no panic").contains(name)
    }

    /// Returns the affected groups of each resync; `None`: all.
    #[must_use]
    pub fn told(&self) -> Vec<Option<Vec<String>>> {
        let told = self.told.lock().expect("no panic");
        let names = |groups: &Vec<GroupName>| groups.iter().map(ToString::to_string).collect();
        told.iter().map(|groups| groups.as_ref().map(names)).collect()
    }

    /// Sets the number of members of a group on this node.
    pub fn set_members(&self, group: &GroupName, count: usize) {
        let mut members = self.members.lock().expect("no panic");
        if count == 0 {
            members.remove(group)
        } else {
            members.insert(group.clone(), count)
        };
    }

    /// Starts a backend for it.
    pub async fn start(self: &Arc<Self>, backend: &impl Backend, name: &str, limits: AdmissionLimits) {
        static INCARNATION: AtomicUsize = AtomicUsize::new(1);
        let incarnation = INCARNATION.fetch_add(1, Ordering::Relaxed) as u64;
        let node = Node { id: name.parse().expect("a name"), incarnation, limits, supervisor: Supervisor::new() };
        backend.start(node, self.clone()).await.expect("a start");
    }
}

impl Deliver for Bare {
    fn deliver(&self, message: OutboundMessage) -> Option<Async<'static, ()>> {
        if self.is_held(&message) {
            return Some(Box::pin(std::future::pending()));
        }
        let _ = self.messages.send(message);
        None
    }

    fn has_members(&self, group: &GroupName) -> bool {
        self.group_count(group) > 0
    }

    fn has_user(&self, _: &UserId) -> bool {
        false
    }

    fn group_count(&self, group: &GroupName) -> usize {
        self.members.lock().expect("no panic").get(group).copied().unwrap_or(0)
    }

    fn user_count(&self) -> usize {
        0
    }

    fn answer(&self, question: Question) -> Async<'static, Answer> {
        if let Question::Deliver(message) = question
            && self.is_held(&message)
        {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            let waiting = Waiting(self.waiting.clone());
            return Box::pin(async move {
                let _waiting = waiting;
                std::future::pending().await
            });
        }
        Box::pin(std::future::ready(Answer::Count(0)))
    }

    fn resync(&self, groups: Option<&[GroupName]>, _: ResyncReason) {
        self.told.lock().expect("no panic").push(groups.map(<[_]>::to_vec));
        self.resyncs.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts an answer while it waits.
struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Returns a message with `data`, which is JSON.
#[must_use]
pub fn said(to: Recipient, data: impl Display) -> OutboundMessage {
    let envelope = format!(r#"{{"type":"said","data":{data}}}"#);
    OutboundMessage::from_envelope(to, Except::default(), Overflow::Disconnect, envelope.as_bytes())
}

/// Publishes a message through the backend alone.
///
/// # Panics
/// If it is not accepted.
pub async fn say(backend: &impl Backend, to: Recipient, data: impl Display) {
    match backend.publish(&said(to, data)) {
        Publish::Done(done) => done.expect("taken"),
        Publish::Wait(waiting) => waiting.await.expect("taken"),
    }
}

/// Limits that no test reaches.
#[must_use]
pub fn no_limits() -> AdmissionLimits {
    AdmissionLimits { total: 1 << 30, per_user: 1 << 30, per_ip: 1 << 30, groups: 1 << 30 }
}
