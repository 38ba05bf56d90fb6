//! Queries across all nodes: who is online, who is in a group, and how many.

use std::time::Duration;

use super::inner::ConnectionManager;
use crate::backend::{Answer, Answers, Question};
use crate::error::{Error, Result};
use crate::id::{ConnectionId, GroupName, UserId};

/// Time to wait for the answers of other nodes.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// A list collected from all nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// The items of the nodes that answered, sorted and without duplicates.
    pub items: Vec<T>,
    /// Whether every node answered in time.
    pub complete: bool,
}

/// Result of [`ConnectionManager::disconnect_user`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disconnected {
    /// Number of connections that were asked to close.
    pub connections: usize,
    /// Whether every node answered in time. If not, connections may be missing from the count, and some may stay open.
    pub complete: bool,
}

impl ConnectionManager {
    /// Returns whether a user has a connection on any node.
    ///
    /// # Errors
    /// Returns an error if the user id is invalid or the backend does not answer.
    pub async fn is_online<U: TryInto<UserId, Error: Into<Error>>>(&self, user: U) -> Result<bool> {
        let user = user.try_into().map_err(Into::into)?;
        if self.registry().has_user(&user) {
            return Ok(true);
        }
        self.inner.backend.is_online(&user).await
    }

    /// Returns the number of users that have a connection, across all nodes.
    ///
    /// # Errors
    /// Returns an error if the backend does not answer.
    pub async fn online_count(&self) -> Result<usize> {
        self.inner.backend.online_count().await
    }

    /// Returns the number of connections in a group, across all nodes.
    ///
    /// # Errors
    /// Returns an error if the group name is invalid or the backend does not answer.
    pub async fn group_count<G: TryInto<GroupName, Error: Into<Error>>>(&self, group: G) -> Result<usize> {
        let group = group.try_into().map_err(Into::into)?;
        self.inner.backend.group_count(&group).await
    }

    /// Returns the number of users that [`Context::join_present`](crate::Context::join_present) has made present in a
    /// group, across all nodes. A user with several connections counts once. The cost does not depend on the number of
    /// users.
    ///
    /// # Errors
    /// Returns an error if the group name is invalid or the backend does not answer.
    pub async fn present_count<G: TryInto<GroupName, Error: Into<Error>>>(&self, group: G) -> Result<usize> {
        Ok(self.present_counts([group]).await?.first().copied().unwrap_or(0))
    }

    /// Returns [`present_count`](Self::present_count) for several groups at once, in their order.
    ///
    /// # Errors
    /// Returns an error if a group name is invalid or the backend does not answer.
    pub async fn present_counts<G: TryInto<GroupName, Error: Into<Error>>>(
        &self,
        groups: impl IntoIterator<Item = G>,
    ) -> Result<Vec<usize>> {
        let groups = groups.into_iter().map(TryInto::try_into).collect::<Result<Vec<_>, _>>().map_err(Into::into)?;
        self.inner.backend.present_counts(&groups).await
    }

    /// Returns the users that have a connection in a group, across all nodes. Waits at most one second for other nodes.
    ///
    /// # Errors
    /// Returns an error if the group name is invalid.
    pub async fn group_members<G: TryInto<GroupName, Error: Into<Error>>>(&self, group: G) -> Result<Listing<UserId>> {
        let group = group.try_into().map_err(Into::into)?;
        let mut items = self.inner.users_in(&group);
        let Answers { answers, complete } = self.inner.backend.ask(Question::Members(group), ANSWER_TIMEOUT).await;
        items.extend(answers.into_iter().flat_map(|answer| match answer {
            Answer::Members(users) => users,
            _ => Vec::new(),
        }));
        Ok(sorted(items, complete))
    }

    /// Returns the connections of a user, across all nodes. Waits at most one second for other nodes.
    ///
    /// # Errors
    /// Returns an error if the user id is invalid.
    pub async fn connections_of<U: TryInto<UserId, Error: Into<Error>>>(
        &self,
        user: U,
    ) -> Result<Listing<ConnectionId>> {
        let user = user.try_into().map_err(Into::into)?;
        let connections = self.registry().user_connections(&user);
        let mut items: Vec<_> = connections.iter().map(|connection| connection.id()).collect();
        let Answers { answers, complete } = self.inner.backend.ask(Question::ConnectionsOf(user), ANSWER_TIMEOUT).await;
        items.extend(answers.into_iter().flat_map(|answer| match answer {
            Answer::Connections(ids) => ids,
            _ => Vec::new(),
        }));
        Ok(sorted(items, complete))
    }

    /// Closes all connections of a user with 4401, on every node. Waits at most one second for other nodes.
    ///
    /// # Errors
    /// Returns an error if the user id is invalid.
    pub async fn disconnect_user<U: TryInto<UserId, Error: Into<Error>>>(&self, user: U) -> Result<Disconnected> {
        let user = user.try_into().map_err(Into::into)?;
        let here = self.inner.disconnect(&user);
        let (elsewhere, complete) = self.count_elsewhere(Question::Disconnect(user), ANSWER_TIMEOUT).await;
        Ok(Disconnected { connections: here.saturating_add(elsewhere), complete })
    }

    /// Asks the other nodes for a count. Returns the sum, and whether every node answered in time.
    pub(super) async fn count_elsewhere(&self, question: Question, within: Duration) -> (usize, bool) {
        let Answers { answers, complete } = self.inner.backend.ask(question, within).await;
        let counts = answers.into_iter().map(|answer| match answer {
            Answer::Count(count) => count,
            _ => 0,
        });
        (counts.fold(0, usize::saturating_add), complete)
    }
}

fn sorted<T: Ord>(mut items: Vec<T>, complete: bool) -> Listing<T> {
    items.sort_unstable();
    items.dedup();
    Listing { items, complete }
}
