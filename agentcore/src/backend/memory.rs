//! The backend of a single node: all state is in the process.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::{
    Admission, AdmissionLimits, AdmissionTable, Answers, Async, Backend, Deliver, Node, Presence, PresenceExit,
    PresenceTable, Publish, Question, RateCheck, RateRequest, Refused, ShardedLimiter,
};
use crate::error::{Error, Result};
use crate::id::{GroupName, UserId};
use crate::message::OutboundMessage;
use crate::supervise::SupervisedTask;
use crate::sync::{Mutex, lock};

/// The backend of a cluster that consists of one node.
///
/// It has no other nodes to carry messages to. Admission, rate limits and presence are each decided under a lock of
/// their own.
#[derive(Default)]
pub struct MemoryBackend {
    started: OnceLock<MemoryNode>,
    admissions: Mutex<AdmissionTable>,
    rates: ShardedLimiter,
    presence: Arc<LocalPresence>,
}

struct MemoryNode {
    node: Node,
    deliver: Arc<dyn Deliver>,
    /// Sends leave messages when they are due.
    leaves: SupervisedTask,
}

/// Presence on this node.
#[derive(Debug, Default)]
struct LocalPresence {
    /// Locked while a message is delivered, so that join and leave messages arrive in the order of the changes.
    table: tokio::sync::Mutex<PresenceTable>,
    /// Wakes [`send_leaves`] after a connection has gone.
    changed: Notify,
}

impl MemoryBackend {
    /// Creates a backend for one node.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn limits(&self) -> Result<AdmissionLimits, Refused> {
        self.started().map(|started| started.node.limits).map_err(Refused::Backend)
    }

    fn started(&self) -> Result<&MemoryNode> {
        self.started.get().ok_or_else(|| Error::backend("the backend has not been started"))
    }
}

impl fmt::Debug for MemoryBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBackend").field("admissions", &self.admissions).finish_non_exhaustive()
    }
}

impl Backend for MemoryBackend {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn start(&self, node: Node, deliver: Arc<dyn Deliver>) -> Async<'_, Result<()>> {
        let (presence, to) = (self.presence.clone(), deliver.clone());
        let leaves = node.supervisor.spawn("memory.leaves", move || send_leaves(presence.clone(), to.clone()));
        let started = self.started.set(MemoryNode { node, deliver, leaves });
        Box::pin(std::future::ready(started.map_err(|_| Error::start("a backend serves one node only"))))
    }

    fn stop(&self) -> Async<'_, ()> {
        if let Some(started) = self.started.get() {
            started.leaves.stop();
        }
        Box::pin(std::future::ready(()))
    }

    fn subscribe(&self, _: &GroupName) -> Option<Async<'static, Result<()>>> {
        None
    }

    fn unsubscribe(&self, _: &GroupName) {}

    fn publish(&self, _: &OutboundMessage) -> Publish {
        Publish::Done(Ok(()))
    }

    fn admit<'a>(&'a self, admission: &'a Admission) -> Async<'a, Result<(), Refused>> {
        let limits = self.limits();
        Box::pin(std::future::ready(limits.and_then(|limits| lock(&self.admissions).admit(&limits, admission))))
    }

    fn release(&self, admission: &Admission) {
        lock(&self.admissions).release(admission);
    }

    fn admit_group(&self) -> Async<'_, Result<(), Refused>> {
        let limits = self.limits();
        Box::pin(std::future::ready(limits.and_then(|limits| lock(&self.admissions).admit_group(&limits))))
    }

    fn release_group(&self) {
        lock(&self.admissions).release_group();
    }

    fn check_rate(&self, request: &RateRequest<'_>) -> RateCheck {
        RateCheck::Done(Ok(self.rates.check(request)))
    }

    fn group_count_changed(&self, _: &GroupName) {}

    fn group_count<'a>(&'a self, group: &'a GroupName) -> Async<'a, Result<usize>> {
        Box::pin(std::future::ready(self.started().map(|started| started.deliver.group_count(group))))
    }

    fn online_count(&self) -> Async<'_, Result<usize>> {
        Box::pin(std::future::ready(self.started().map(|started| started.deliver.user_count())))
    }

    fn is_online<'a>(&'a self, user: &'a UserId) -> Async<'a, Result<bool>> {
        Box::pin(std::future::ready(self.started().map(|started| started.deliver.has_user(user))))
    }

    fn enter(&self, presence: Presence) -> Async<'_, Result<()>> {
        Box::pin(async move {
            let deliver = &self.started()?.deliver;
            let mut table = self.presence.table.lock().await;
            if let Some(message) = table.enter(presence) {
                complete(deliver.deliver(message)).await;
            }
            Ok(())
        })
    }

    fn exit<'a>(&'a self, exit: PresenceExit<'a>) -> Async<'a, Result<()>> {
        Box::pin(async move {
            let deliver = &self.started()?.deliver;
            let mut table = self.presence.table.lock().await;
            if let Some(message) = table.exit(&exit, Instant::now()) {
                complete(deliver.deliver(message)).await;
            }
            self.presence.changed.notify_one();
            Ok(())
        })
    }

    fn present_counts<'a>(&'a self, groups: &'a [GroupName]) -> Async<'a, Result<Vec<usize>>> {
        Box::pin(async move {
            let table = self.presence.table.lock().await;
            Ok(groups.iter().map(|group| table.count(group)).collect())
        })
    }

    fn ask(&self, _: Question, _: Duration) -> Async<'_, Answers> {
        Box::pin(std::future::ready(Answers { answers: Vec::new(), complete: true }))
    }
}

async fn complete(waiting: Option<Async<'static, ()>>) {
    if let Some(waiting) = waiting {
        waiting.await;
    }
}

/// Background task that sends leave messages when they are due.
async fn send_leaves(presence: Arc<LocalPresence>, deliver: Arc<dyn Deliver>) {
    loop {
        let due = presence.table.lock().await.next_due();
        match due {
            None => presence.changed.notified().await,
            Some(due) => {
                tokio::time::sleep_until(due).await;
                let mut table = presence.table.lock().await;
                while let Some(message) = table.take_due(Instant::now()) {
                    complete(deliver.deliver(message)).await;
                }
            }
        }
    }
}
