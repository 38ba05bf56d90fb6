//! One node's side of the hub: the whole trait.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use agentcore::backend::{
    Admission, AdmissionLimits, Answer, Answers, Async, Backend, Deliver, Node, Presence, PresenceExit, Publish,
    Question, RateCheck, RateLimiter, RateRequest, Refused,
};
use agentcore::message::OutboundMessage;
use agentcore::{Error, GroupName, Result, UserId};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{DELAY, Hub, Member, State};

/// One in this many publishes finds the queue full.
const FULL_EVERY: usize = 8;

/// One node's backend.
pub struct HubBackend {
    hub: Hub,
    own: OnceLock<(u64, Node)>,
    /// Groups whose subscription may have changed.
    changed: Arc<(Mutex<HashSet<GroupName>>, Notify)>,
    stopped: CancellationToken,
}

impl fmt::Debug for HubBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubBackend").field("own", &self.own).finish_non_exhaustive()
    }
}

impl HubBackend {
    pub(super) fn new(hub: Hub) -> Self {
        Self { hub, own: OnceLock::new(), changed: Arc::default(), stopped: CancellationToken::new() }
    }

    fn id(&self) -> Option<u64> {
        self.own.get().map(|(id, _)| *id)
    }

    fn change(&self, group: &GroupName) {
        self.changed.0.lock().unwrap_or_else(PoisonError::into_inner).insert(group.clone());
        self.changed.1.notify_one();
    }

    fn member<T>(&self, visit: impl FnOnce(&mut Member) -> T) -> Option<T> {
        let id = self.id()?;
        self.hub.state().nodes.iter_mut().find(|node| node.id == id).map(visit)
    }

    /// Decides in the middle of a delay.
    async fn decide(
        &self,
        decision: impl FnOnce(&mut State, u64, &AdmissionLimits) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        half().await;
        let decided = {
            let mut state = self.hub.state();
            match self.own.get() {
                None => return Err(Refused::Backend(Error::backend("the hub is not started"))),
                Some((id, node)) => decision(&mut state, *id, &node.limits),
            }
        };
        half().await;
        decided
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stopped = self.stopped.clone();
        tokio::spawn(async move { stopped.run_until_cancelled_owned(task).await });
    }
}

async fn half() {
    tokio::time::sleep(DELAY / 2).await;
}

/// Delivers incoming messages in order.
async fn receive(mut inbox: mpsc::UnboundedReceiver<(Instant, OutboundMessage)>, deliver: Arc<dyn Deliver>) {
    while let Some((due, message)) = inbox.recv().await {
        tokio::time::sleep_until(due).await;
        if let Some(waiting) = deliver.deliver(message) {
            waiting.await;
        }
    }
}

/// Brings the subscriptions of a node in line with its groups.
async fn follow(hub: Hub, id: u64, changed: Arc<(Mutex<HashSet<GroupName>>, Notify)>) {
    loop {
        changed.1.notified().await;
        half().await;
        let groups = std::mem::take(&mut *changed.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut confirmed = Vec::new();
        {
            let mut state = hub.state();
            let Some(node) = state.nodes.iter_mut().find(|node| node.id == id) else { return };
            for group in groups {
                // Read now, under the lock that `subscribe` takes: no event is replayed.
                if node.deliver.has_members(&group) {
                    node.subscribed.insert(group.clone());
                } else {
                    node.subscribed.remove(&group);
                }
                confirmed.extend(node.waiting.remove(&group).unwrap_or_default());
            }
        }
        half().await;
        for waiting in confirmed {
            let _ = waiting.send(());
        }
    }
}

/// Sends leave messages when they are due.
async fn send_leaves(hub: Hub) {
    loop {
        let due = hub.0.presence.lock().await.next_due();
        match due {
            None => hub.0.leaves.notified().await,
            Some(due) => {
                tokio::time::sleep_until(due).await;
                let mut book = hub.0.presence.lock().await;
                while let Some(message) = book.take_due(Instant::now()) {
                    hub.post(None, &message);
                }
            }
        }
    }
}

impl Backend for HubBackend {
    fn name(&self) -> &'static str {
        "hub"
    }

    fn start(&self, node: Node, deliver: Arc<dyn Deliver>) -> Async<'_, Result<()>> {
        Box::pin(async move {
            half().await;
            let (id, first) = {
                let mut state = self.hub.state();
                let id = node.incarnation;
                let (inbox, received) = mpsc::unbounded_channel();
                self.spawn(receive(received, deliver.clone()));
                let first = state.nodes.is_empty();
                state.nodes.push(Member {
                    id,
                    inbox,
                    deliver,
                    subscribed: HashSet::new(),
                    waiting: HashMap::new(),
                    users: HashMap::new(),
                    groups: HashMap::new(),
                    deaf: false,
                });
                (id, first)
            };
            let _ = self.own.set((id, node));
            self.spawn(follow(self.hub.clone(), id, self.changed.clone()));
            if first {
                self.spawn(send_leaves(self.hub.clone()));
            }
            half().await;
            Ok(())
        })
    }

    fn stop(&self) -> Async<'_, ()> {
        Box::pin(async move {
            half().await;
            self.stopped.cancel();
            if let Some(id) = self.id() {
                self.hub.state().nodes.retain(|node| node.id != id);
            }
        })
    }

    fn subscribe(&self, group: &GroupName) -> Option<Async<'static, Result<()>>> {
        let confirmed = self.member(|node| {
            if node.subscribed.contains(group) {
                return None;
            }
            let (confirm, confirmed) = oneshot::channel();
            node.waiting.entry(group.clone()).or_default().push(confirm);
            Some(confirmed)
        });
        let confirmed = confirmed.flatten()?;
        self.change(group);
        Some(Box::pin(async move { confirmed.await.map_err(|_| Error::backend("the hub is gone")) }))
    }

    fn unsubscribe(&self, group: &GroupName) {
        self.change(group);
    }

    fn publish(&self, message: &OutboundMessage) -> Publish {
        let full = {
            let mut state = self.hub.state();
            if state.broken {
                return Publish::Done(Err(Error::backend("the hub is broken")));
            }
            state.published += 1;
            state.published.is_multiple_of(FULL_EVERY)
        };
        if !full {
            self.hub.post(self.id(), message);
            return Publish::Done(Ok(()));
        }
        let (hub, own, message) = (self.hub.clone(), self.id(), message.clone());
        Publish::Wait(Box::pin(async move {
            half().await;
            hub.post(own, &message);
            Ok(())
        }))
    }

    fn admit<'a>(&'a self, admission: &'a Admission) -> Async<'a, Result<(), Refused>> {
        Box::pin(self.decide(|state, node, limits| {
            if state.broken {
                return Err(Refused::Backend(Error::backend("the hub is broken")));
            }
            state.admitted.admit(limits, admission)?;
            if let Some(member) = state.nodes.iter_mut().find(|member| member.id == node) {
                *member.users.entry(admission.user.clone()).or_default() += 1;
            }
            Ok(())
        }))
    }

    fn release(&self, admission: &Admission) {
        self.hub.state().admitted.release(admission);
        self.member(|node| {
            if let Some(count) = node.users.get_mut(&admission.user) {
                *count -= 1;
                if *count == 0 {
                    node.users.remove(&admission.user);
                }
            }
        });
    }

    fn admit_group(&self) -> Async<'_, Result<(), Refused>> {
        Box::pin(self.decide(|state, _, limits| state.admitted.admit_group(limits)))
    }

    fn release_group(&self) {
        self.hub.state().admitted.release_group();
    }

    fn check_rate(&self, request: &RateRequest<'_>) -> RateCheck {
        let (hub, subject, quotas, cost) =
            (self.hub.clone(), request.subject.clone(), request.quotas.to_vec(), request.cost);
        RateCheck::Wait(Box::pin(async move {
            half().await;
            let decision = {
                let mut state = hub.state();
                if state.broken {
                    return Err(Error::backend("the hub is broken"));
                }
                let now = Instant::now();
                let book = state.rates.get_or_insert_with(|| RateLimiter::new(now));
                book.check(&RateRequest { subject: &subject, quotas: &quotas, cost }, now)
            };
            half().await;
            Ok(decision)
        }))
    }

    fn group_count_changed(&self, group: &GroupName) {
        self.member(|node| match node.deliver.group_count(group) {
            0 => node.groups.remove(group),
            count => node.groups.insert(group.clone(), count),
        });
    }

    fn group_count<'a>(&'a self, group: &'a GroupName) -> Async<'a, Result<usize>> {
        Box::pin(async move {
            half().await;
            let count = self.hub.state().nodes.iter().filter_map(|node| node.groups.get(group)).sum();
            half().await;
            Ok(count)
        })
    }

    fn online_count(&self) -> Async<'_, Result<usize>> {
        Box::pin(async move {
            half().await;
            let count = {
                let state = self.hub.state();
                // A connection that has ended may not have been released yet.
                let online = |node: &'_ Member| {
                    let users = node.users.keys().filter(|user| node.deliver.has_user(user));
                    users.cloned().collect::<Vec<_>>()
                };
                let users: HashSet<_> = state.nodes.iter().flat_map(online).collect();
                users.len()
            };
            half().await;
            Ok(count)
        })
    }

    fn is_online<'a>(&'a self, user: &'a UserId) -> Async<'a, Result<bool>> {
        Box::pin(async move {
            half().await;
            let online = self.hub.state().nodes.iter().any(|node| node.deliver.has_user(user));
            half().await;
            Ok(online)
        })
    }

    fn enter(&self, presence: Presence) -> Async<'_, Result<()>> {
        Box::pin(async move {
            half().await;
            if self.hub.state().broken {
                return Err(Error::backend("the hub is broken"));
            }
            let mut book = self.hub.0.presence.lock().await;
            if let Some(message) = book.enter(presence) {
                self.hub.post(None, &message);
            }
            drop(book);
            half().await;
            Ok(())
        })
    }

    fn exit<'a>(&'a self, exit: PresenceExit<'a>) -> Async<'a, Result<()>> {
        Box::pin(async move {
            half().await;
            let mut book = self.hub.0.presence.lock().await;
            if let Some(message) = book.exit(&exit, Instant::now()) {
                self.hub.post(None, &message);
            }
            drop(book);
            self.hub.0.leaves.notify_one();
            half().await;
            Ok(())
        })
    }

    fn present_counts<'a>(&'a self, groups: &'a [GroupName]) -> Async<'a, Result<Vec<usize>>> {
        Box::pin(async move {
            half().await;
            let counts = {
                let book = self.hub.0.presence.lock().await;
                groups.iter().map(|group| book.count(group)).collect()
            };
            half().await;
            Ok(counts)
        })
    }

    fn ask(&self, question: Question, within: Duration) -> Async<'_, Answers> {
        Box::pin(async move {
            half().await;
            let others: Vec<_> = {
                let state = self.hub.state();
                let others = state.nodes.iter().filter(|node| Some(node.id) != self.id());
                others.map(|node| (node.deliver.clone(), node.deaf)).collect()
            };
            let asked = others.len();
            // A sleep caps it; the sum with the clock could overflow.
            let deadline = tokio::time::sleep(within).deadline();
            let mut answers: Vec<Answer> = Vec::new();
            for (other, deaf) in others {
                let answering = async {
                    match deaf {
                        true => std::future::pending().await,
                        false => other.answer(question.clone()).await,
                    }
                };
                answers.extend(tokio::time::timeout_at(deadline, answering).await.ok());
            }
            half().await;
            let complete = answers.len() == asked;
            Answers { answers, complete }
        })
    }
}
