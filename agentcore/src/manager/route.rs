//! From a parcel to the outboxes of this node and to the backend.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use super::{ConnectionManager, Inner};
use crate::backend::{Answer, Async, Deliver, Publish, Question, ResyncReason};
use crate::error::{CloseCode, CloseReason, Error, Result};
use crate::id::{GroupName, UserId};
use crate::message::{Parcel, Recipient};
use crate::registry::{Closing, Command, Connection, Receipt, Shard, Target};

/// What became of a parcel.
pub(super) enum Routed {
    Done(Result<()>),
    /// A queue is full: the future ends when the parcel is in all of them.
    Wait(Async<'static, Result<()>>),
}

/// A full queue and what is to go into it.
type Waiting = Vec<(Arc<Shard>, Command)>;

impl ConnectionManager {
    /// Hands a parcel to the other nodes, then to the connections of this one: an error means that nobody has it.
    pub(super) fn route(&self, parcel: &Parcel) -> Routed {
        match self.inner.backend.publish(parcel) {
            Publish::Done(Ok(())) => {
                let waiting = self.inner.deliver(parcel);
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
                let (inner, parcel) = (self.inner.clone(), parcel.clone());
                Routed::Wait(Box::pin(async move {
                    published.await?;
                    submit(inner.deliver(&parcel)).await;
                    Ok(())
                }))
            }
        }
    }
}

impl Inner {
    /// Gives a parcel to the connections of this node; returns what did not fit into a queue.
    fn deliver(&self, parcel: &Parcel) -> Waiting {
        let mut waiting = Waiting::new();
        let mut submit = |shard: &Arc<Shard>, command| {
            if let Err(command) = shard.submit(command) {
                waiting.push((shard.clone(), command));
            }
        };
        let direct = |connection: &Arc<Connection>| {
            let covered = parcel.except.covers(connection.id(), connection.user_id());
            let frame = parcel.body().frame(connection.codec())?.clone();
            (!covered).then(|| Command::Direct(connection.member(), frame, parcel.overflow().into()))
        };
        match &parcel.to {
            // A list, not a walk: delivering may write to sockets, and nobody who joins should wait for that.
            Recipient::Group(group) => {
                for shard in
                    self.registry.directory().shards(group).into_iter().filter_map(|at| self.registry.shard(at))
                {
                    submit(shard, Command::Group(group.clone(), parcel.body().clone(), parcel.except.clone()));
                }
            }
            Recipient::Everyone => {
                for shard in self.registry.shards() {
                    submit(shard, Command::Everyone(parcel.body().clone(), parcel.except.clone()));
                }
            }
            Recipient::User(user) => {
                for connection in self.registry.of_user(user) {
                    if let Some(command) = direct(&connection) {
                        submit(connection.shard(), command);
                    }
                }
            }
            Recipient::Connection(id) => {
                if let Some(connection) = self.registry.connection(*id)
                    && let Some(command) = direct(&connection)
                {
                    submit(connection.shard(), command);
                }
            }
        }
        waiting
    }
}

impl Inner {
    /// Gives a parcel to the connections of this node; returns how many take it, as each worker comes to it.
    pub(super) async fn deliver_confirmed(&self, parcel: &Parcel) -> UnboundedReceiver<usize> {
        let mut targets: Vec<(Arc<Shard>, Target)> = Vec::new();
        let covered = |connection: &Connection| parcel.except.covers(connection.id(), connection.user_id());
        let member = |connection: Arc<Connection>| (connection.shard().clone(), Target::Member(connection.member()));
        match &parcel.to {
            Recipient::Group(group) => {
                let shards = self.registry.directory().shards(group);
                let shards = shards.into_iter().filter_map(|at| self.registry.shard(at).cloned());
                targets.extend(shards.map(|shard| (shard, Target::Group(group.clone()))));
            }
            Recipient::Everyone => {
                targets.extend(self.registry.shards().iter().map(|shard| (shard.clone(), Target::Everyone)));
            }
            Recipient::User(user) => {
                let connections = self.registry.of_user(user).into_iter();
                targets.extend(connections.filter(|connection| !covered(connection)).map(member));
            }
            Recipient::Connection(id) => {
                targets.extend(self.registry.connection(*id).filter(|connection| !covered(connection)).map(member));
            }
        }
        let (receipt, numbers) = Receipt::new();
        for (shard, target) in targets {
            let command = Command::Confirm(target, parcel.body().clone(), parcel.except.clone(), receipt.clone());
            if let Err(command) = shard.submit(command) {
                shard.wait(command).await;
            }
        }
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

async fn submit(waiting: Waiting) {
    for (shard, command) in waiting {
        shard.wait(command).await;
    }
}

/// This node, for its backend. Weak: the backend belongs to the manager.
pub(super) struct Local(pub(super) Weak<Inner>);

impl Deliver for Local {
    fn deliver(&self, parcel: Parcel) -> Option<Async<'static, ()>> {
        let waiting = self.0.upgrade()?.deliver(&parcel);
        (!waiting.is_empty()).then(|| Box::pin(submit(waiting)) as Async<'static, ()>)
    }

    fn wants(&self, group: &GroupName) -> bool {
        self.0.upgrade().is_some_and(|inner| inner.registry.directory().contains(group))
    }

    fn has_user(&self, user: &UserId) -> bool {
        self.0.upgrade().is_some_and(|inner| inner.registry.has_user(user))
    }

    fn connection_count(&self, user: &UserId) -> usize {
        self.0.upgrade().map_or(0, |inner| inner.registry.count_of_user(user))
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
                    let connections = inner.iter().flat_map(|inner| inner.registry.of_user(&user));
                    Answer::Connections(connections.map(|connection| connection.id()).collect())
                }
                Question::Disconnect(user) => Answer::Count(inner.map_or(0, |inner| inner.disconnect(&user))),
                Question::Deliver(parcel) => Answer::Count(match inner {
                    // Who asked knows how long to wait.
                    Some(inner) => sum(inner.deliver_confirmed(&parcel).await, Duration::MAX).await.0,
                    None => 0,
                }),
                Question::Join(whose, group) => Answer::Count(match inner {
                    // What a connection's own bound refuses is not counted.
                    Some(inner) => ConnectionManager { inner }.join_here(&whose, &group).await.0,
                    None => 0,
                }),
                Question::Leave(whose, group) => Answer::Count(match inner {
                    Some(inner) => ConnectionManager { inner }.leave_here(&whose, &group).await.0,
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

impl Inner {
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
        let connections = self.registry.of_user(user);
        let error = Error::authentication("the connection was ended");
        for connection in &connections {
            let reason = CloseReason { code: CloseCode::from(4401), ..CloseReason::of(&error) };
            connection.close(Closing::Frame(reason));
        }
        connections.len()
    }
}
