//! From a message to the outboxes of this node and to the backend.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use super::{ConnectionManager, ManagerInner};
use crate::backend::{Answer, Async, Deliver, Publish, Question, ResyncReason};
use crate::error::{CloseCode, CloseReason, Error, Result};
use crate::id::{GroupName, UserId};
use crate::message::{OutboundMessage, Recipient};
use crate::registry::{Closing, Command, Receipt, Shard, Target};

/// What became of a message.
pub(super) enum Routed {
    Done(Result<()>),
    /// A queue is full: the future ends when the message is in all of them.
    Wait(Async<'static, Result<()>>),
}

/// A full queue and what is to go into it.
type UnsentCommands = Vec<(Arc<Shard>, Command)>;

impl ConnectionManager {
    /// Hands a message to the other nodes, then to the connections of this one: an error means that nobody has it.
    pub(super) fn route(&self, message: &OutboundMessage) -> Routed {
        match self.inner.backend.publish(message) {
            Publish::Done(Ok(())) => {
                let waiting = self.inner.deliver(message, None);
                if waiting.is_empty() {
                    return Routed::Done(Ok(()));
                }
                Routed::Wait(Box::pin(async move {
                    submit(waiting).await;
                    Ok(())
                }))
            }
            Publish::Done(Err(error)) => Routed::Done(Err(error)),
            Publish::Wait(published) => {
                let (inner, message) = (self.inner.clone(), message.clone());
                Routed::Wait(Box::pin(async move {
                    published.await?;
                    submit(inner.deliver(&message, None)).await;
                    Ok(())
                }))
            }
        }
    }
}

impl ManagerInner {
    /// Calls `give` with each shard that holds recipients of a message, and whom it is for there.
    fn each_target(&self, message: &OutboundMessage, mut give: impl FnMut(&Arc<Shard>, Target)) {
        // Lists, not walks: giving may write to sockets, and nobody who joins should wait for that.
        let connections = match &message.to {
            Recipient::Group(group) => {
                let shards = self.registry.directory().shards(group).into_iter();
                let shards = shards.filter_map(|at| self.registry.shard(at));
                return shards.for_each(|shard| give(shard, Target::Group(group.clone())));
            }
            Recipient::Everyone => {
                return self.registry.shards().iter().for_each(|shard| give(shard, Target::Everyone));
            }
            Recipient::User(user) => self.registry.user_connections(user),
            Recipient::Connection(id) => self.registry.connection(*id).into_iter().collect(),
        };
        for connection in connections {
            if !message.except.covers(connection.id(), connection.user_id()) {
                give(connection.shard(), Target::Slot(connection.slot()));
            }
        }
    }

    /// Gives a message to the connections of this node; returns what did not fit into a queue. A receipt hears how many
    /// take it.
    fn deliver(&self, message: &OutboundMessage, receipt: Option<&Receipt>) -> UnsentCommands {
        let mut waiting = UnsentCommands::new();
        self.each_target(message, |shard, target| {
            let command = Command::Send(target, message.body().clone(), message.except.clone(), receipt.cloned());
            if let Err(command) = shard.try_submit(command) {
                waiting.push((shard.clone(), command));
            }
        });
        waiting
    }

    /// As [`deliver`](Self::deliver), with the numbers of who takes it as each worker comes to it.
    pub(super) async fn deliver_confirmed(&self, message: &OutboundMessage) -> UnboundedReceiver<usize> {
        let (receipt, numbers) = Receipt::new();
        submit(self.deliver(message, Some(&receipt))).await;
        numbers
    }
}

/// Adds the numbers up, and says whether all came within the time.
pub(super) async fn sum(mut numbers: UnboundedReceiver<usize>, within: Duration) -> (usize, bool) {
    let mut taken = 0;
    let adding = async {
        while let Some(number) = numbers.recv().await {
            taken += number;
        }
    };
    let complete = tokio::time::timeout(within, adding).await.is_ok();
    (taken, complete)
}

async fn submit(waiting: UnsentCommands) {
    for (shard, command) in waiting {
        shard.submit(command).await;
    }
}

/// This node, for its backend. Weak: the backend belongs to the manager.
pub(super) struct LocalDelivery(pub(super) Weak<ManagerInner>);

impl Deliver for LocalDelivery {
    fn deliver(&self, message: OutboundMessage) -> Option<Async<'static, ()>> {
        let waiting = self.0.upgrade()?.deliver(&message, None);
        (!waiting.is_empty()).then(|| Box::pin(submit(waiting)) as Async<'static, ()>)
    }

    fn has_members(&self, group: &GroupName) -> bool {
        self.0.upgrade().is_some_and(|inner| inner.registry.directory().contains(group))
    }

    fn has_user(&self, user: &UserId) -> bool {
        self.0.upgrade().is_some_and(|inner| inner.registry.has_user(user))
    }

    fn group_count(&self, group: &GroupName) -> usize {
        self.0.upgrade().map_or(0, |inner| inner.registry.directory().count(group))
    }

    fn user_count(&self) -> usize {
        self.0.upgrade().map_or(0, |inner| inner.registry.user_count())
    }

    fn answer(&self, question: Question) -> Async<'static, Answer> {
        let inner = self.0.upgrade();
        Box::pin(async move {
            match question {
                Question::Members(group) => {
                    Answer::Members(inner.map(|inner| inner.users_in(&group)).unwrap_or_default())
                }
                Question::ConnectionsOf(user) => {
                    let connections = inner.iter().flat_map(|inner| inner.registry.user_connections(&user));
                    Answer::Connections(connections.map(|connection| connection.id()).collect())
                }
                Question::Disconnect(user) => Answer::Count(inner.map_or(0, |inner| inner.disconnect(&user))),
                Question::Deliver(message) => Answer::Count(match inner {
                    // Who asked knows how long to wait.
                    Some(inner) => sum(inner.deliver_confirmed(&message).await, Duration::MAX).await.0,
                    None => 0,
                }),
                Question::Join(selector, group) => Answer::Count(match inner {
                    // What a connection's own bound refuses is not counted.
                    Some(inner) => ConnectionManager { inner }.join_here(&selector, &group).await.0,
                    None => 0,
                }),
                Question::Leave(selector, group) => Answer::Count(match inner {
                    Some(inner) => ConnectionManager { inner }.leave_here(&selector, &group).await.0,
                    None => 0,
                }),
            }
        })
    }

    fn resync(&self, groups: Option<&[GroupName]>, reason: ResyncReason) {
        let Some(inner) = self.0.upgrade() else { return };
        inner.resync(groups, reason);
    }
}

impl ManagerInner {
    /// The users of this node in a group, each once.
    pub(super) fn users_in(&self, group: &GroupName) -> Vec<UserId> {
        let mut users: Vec<_> =
            self.registry.members(group).iter().map(|connection| connection.user_id().clone()).collect();
        users.sort_unstable();
        users.dedup();
        users
    }

    /// Closes a user's connections of this node with 4401.
    pub(super) fn disconnect(&self, user: &UserId) -> usize {
        let connections = self.registry.user_connections(user);
        let error = Error::authentication("the connection was ended");
        for connection in &connections {
            let reason = CloseReason { code: CloseCode::from(4401), ..CloseReason::of(&error) };
            connection.close(Closing::Frame(reason));
        }
        connections.len()
    }
}
