//! Questions: who is online, who is in a group, how many.

use std::time::Duration;

use serde::Serialize;

use super::route::sum;
use super::{Confirmed, ConnectionManager};
use crate::backend::{Answer, Answers, Question};
use crate::error::{Error, Result};
use crate::id::{ConnectionId, GroupName, NodeId, UserId};
use crate::message::OutboundMessage;
use crate::time::Timestamp;

/// How long the answers of other nodes are waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// A list gathered from all nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// What the nodes that answered have, each item once, sorted.
    pub items: Vec<T>,
    /// Whether every node answered in time.
    pub complete: bool,
}

/// What became of a user's connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disconnected {
    /// How many were told to close.
    pub connections: usize,
    /// Whether every node answered in time; otherwise there may be more, and some of them may be open still.
    pub complete: bool,
}

/// What this node holds.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// The node.
    pub node: NodeId,
    /// The backend's name.
    pub backend_type: &'static str,
    /// When the node started.
    pub started_at: Timestamp,
    /// Its connections.
    pub connections: usize,
    /// Its users.
    pub users: usize,
    /// The groups with a connection of this node.
    pub groups: usize,
    /// Connections that were opened since the start.
    pub connections_opened: u64,
    /// Messages of clients since the start, those that were refused too.
    pub messages_in: u64,
    /// Bytes of those messages, without their frames.
    pub bytes_in: u64,
    /// Messages that went into outboxes since the start.
    pub messages_out: u64,
    /// Bytes of those messages, with their frames.
    pub bytes_out: u64,
    /// Bytes that wait to be written.
    pub outbox_bytes: u64,
    /// Messages that connections missed because they did not read fast enough.
    pub dropped: u64,
    /// Messages in whose place a newer one went to connections that did not read fast enough.
    pub replaced: u64,
    /// Connections that were closed because they did not read fast enough.
    pub slow_consumers: u64,
    /// Connections that were closed because nothing was heard of them.
    pub heartbeats_lost: u64,
}

impl ConnectionManager {
    /// Whether a user has a connection on any node.
    ///
    /// # Errors
    /// When the name is none, or the backend does not answer.
    pub async fn is_online<U: TryInto<UserId, Error: Into<Error>>>(&self, user: U) -> Result<bool> {
        let user = user.try_into().map_err(Into::into)?;
        if self.registry().has_user(&user) {
            return Ok(true);
        }
        self.inner.backend.is_online(&user).await
    }

    /// How many users have a connection, over all nodes.
    ///
    /// # Errors
    /// When the backend does not answer.
    pub async fn online_count(&self) -> Result<usize> {
        self.inner.backend.online_count().await
    }

    /// How many connections are in a group, over all nodes.
    ///
    /// # Errors
    /// When the name is none, or the backend does not answer.
    pub async fn group_count<G: TryInto<GroupName, Error: Into<Error>>>(&self, group: G) -> Result<usize> {
        let group = group.try_into().map_err(Into::into)?;
        self.inner.backend.group_count(&group).await
    }

    /// How many users [`Context::join_present`](crate::Context::join_present) has made present in a group, over all
    /// nodes: each user once, whatever their connections. Cheap, however many there are.
    ///
    /// # Errors
    /// When the name is none, or the backend does not answer.
    pub async fn present_count<G: TryInto<GroupName, Error: Into<Error>>>(&self, group: G) -> Result<usize> {
        Ok(self.present_counts([group]).await?.first().copied().unwrap_or(0))
    }

    /// As [`present_count`](Self::present_count), for many groups at once, in their order.
    ///
    /// # Errors
    /// When a name is none, or the backend does not answer.
    pub async fn present_counts<G: TryInto<GroupName, Error: Into<Error>>>(
        &self,
        groups: impl IntoIterator<Item = G>,
    ) -> Result<Vec<usize>> {
        let groups = groups.into_iter().map(TryInto::try_into).collect::<Result<Vec<_>, _>>().map_err(Into::into)?;
        self.inner.backend.present_counts(&groups).await
    }

    /// The users in a group over all nodes, each once.
    ///
    /// # Errors
    /// When the name is none.
    pub async fn group_members<G: TryInto<GroupName, Error: Into<Error>>>(&self, group: G) -> Result<Listing<UserId>> {
        let group = group.try_into().map_err(Into::into)?;
        let mut items = self.inner.users_in(&group);
        let Answers { answers, complete } = self.inner.backend.ask(Question::Members(group), ANSWER_WITHIN).await;
        items.extend(answers.into_iter().flat_map(|answer| match answer {
            Answer::Members(users) => users,
            _ => Vec::new(),
        }));
        Ok(sorted(items, complete))
    }

    /// The connections of a user over all nodes.
    ///
    /// # Errors
    /// When the name is none.
    pub async fn connections_of<U: TryInto<UserId, Error: Into<Error>>>(
        &self,
        user: U,
    ) -> Result<Listing<ConnectionId>> {
        let user = user.try_into().map_err(Into::into)?;
        let mut items: Vec<_> =
            self.registry().user_connections(&user).iter().map(|connection| connection.id()).collect();
        let Answers { answers, complete } = self.inner.backend.ask(Question::ConnectionsOf(user), ANSWER_WITHIN).await;
        items.extend(answers.into_iter().flat_map(|answer| match answer {
            Answer::Connections(ids) => ids,
            _ => Vec::new(),
        }));
        Ok(sorted(items, complete))
    }

    /// Closes all connections of a user with 4401, on every node.
    ///
    /// # Errors
    /// When the name is none.
    pub async fn disconnect_user<U: TryInto<UserId, Error: Into<Error>>>(&self, user: U) -> Result<Disconnected> {
        let user = user.try_into().map_err(Into::into)?;
        let here = self.inner.disconnect(&user);
        let (there, complete) = count(self.inner.backend.ask(Question::Disconnect(user), ANSWER_WITHIN).await);
        Ok(Disconnected { connections: here + there, complete })
    }

    /// Asks the other nodes for a number, and adds what they answer.
    pub(super) async fn count_elsewhere(&self, question: Question) -> usize {
        count(self.inner.backend.ask(question, ANSWER_WITHIN).await).0
    }

    /// Delivers a message everywhere, and waits for the numbers of who took it.
    pub(super) async fn confirm(&self, message: OutboundMessage, within: Duration) -> Result<Confirmed> {
        // Both at once: what the others take does not wait for this node.
        let ((here, all_here), there) = tokio::join!(
            async { sum(self.inner.deliver_confirmed(&message).await, within).await },
            self.inner.backend.ask(Question::Deliver(message.clone()), within)
        );
        let (there, all_there) = count(there);
        Ok(Confirmed { delivered: here + there, complete: all_here && all_there })
    }

    /// What this node holds.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let registry = self.registry();
        let tally = registry.stats();
        let sent = tally.total();
        let (messages_in, bytes_in) = self.inner.metrics.received();
        Stats {
            node: self.inner.node.clone(),
            backend_type: self.inner.backend.name(),
            started_at: self.inner.metrics.started_at(),
            connections: registry.connection_count(),
            users: registry.user_count(),
            groups: registry.directory().len(),
            connections_opened: self.inner.metrics.opened(),
            messages_in,
            bytes_in,
            messages_out: sent.messages,
            bytes_out: sent.bytes,
            outbox_bytes: tally.outbox_bytes,
            dropped: tally.dropped.newest + tally.dropped.oldest + tally.dropped.latest,
            replaced: tally.dropped.replaced,
            slow_consumers: tally.slow,
            heartbeats_lost: tally.reaped,
        }
    }
}

fn count(Answers { answers, complete }: Answers) -> (usize, bool) {
    let numbers = answers.into_iter().map(|answer| match answer {
        Answer::Count(number) => number,
        _ => 0,
    });
    (numbers.sum(), complete)
}

fn sorted<T: Ord>(mut items: Vec<T>, complete: bool) -> Listing<T> {
    items.sort_unstable();
    items.dedup();
    Listing { items, complete }
}
