//! Joins and leaves on behalf of users and connections on any node.

use std::sync::Arc;

use super::inner::ConnectionManager;
use super::members::ANSWER_TIMEOUT;
use crate::backend::{ConnectionSelector, Question};
use crate::error::{Error, Result};
use crate::id::{ConnectionId, GroupName, UserId};
use crate::registry::Connection;

impl ConnectionManager {
    /// Adds all connections of a user to a group, on every node, and returns how many were not members yet. Waits at
    /// most one second for other nodes.
    ///
    /// # Errors
    /// Returns an error if a name is invalid, or `LIMIT_EXCEEDED` if a connection of this node is in its maximum number
    /// of groups or the limit of groups is reached. The other connections have joined.
    ///
    /// # Cancel safety
    /// Dropping the future leaves each connection either in the group or not.
    pub async fn join_user<U, G>(&self, user: U, group: G) -> Result<usize>
    where
        U: TryInto<UserId, Error: Into<Error>>,
        G: TryInto<GroupName, Error: Into<Error>>,
    {
        let selector = ConnectionSelector::User(user.try_into().map_err(Into::into)?);
        self.join_everywhere(selector, group.try_into().map_err(Into::into)?).await
    }

    /// Removes all connections of a user from a group, on every node, and returns how many were members. Waits at most
    /// one second for other nodes.
    ///
    /// # Errors
    /// Returns an error if a name is invalid, or `BACKEND_UNAVAILABLE` if a presence cannot be ended.
    ///
    /// # Cancel safety
    /// Dropping the future leaves each connection either in the group or not.
    pub async fn leave_user<U, G>(&self, user: U, group: G) -> Result<usize>
    where
        U: TryInto<UserId, Error: Into<Error>>,
        G: TryInto<GroupName, Error: Into<Error>>,
    {
        let selector = ConnectionSelector::User(user.try_into().map_err(Into::into)?);
        self.leave_everywhere(selector, group.try_into().map_err(Into::into)?).await
    }

    /// Adds a connection of any node to a group. Returns false if it is a member already or does not exist.
    ///
    /// # Errors
    /// Same as [`join_user`](Self::join_user).
    ///
    /// # Cancel safety
    /// Same as [`join_user`](Self::join_user).
    pub async fn join_connection<G>(&self, connection: ConnectionId, group: G) -> Result<bool>
    where
        G: TryInto<GroupName, Error: Into<Error>>,
    {
        let group = group.try_into().map_err(Into::into)?;
        self.join_everywhere(ConnectionSelector::Connection(connection), group).await.map(|joined| joined > 0)
    }

    /// Removes a connection of any node from a group. Returns false if it is not a member.
    ///
    /// # Errors
    /// Same as [`leave_user`](Self::leave_user).
    ///
    /// # Cancel safety
    /// Same as [`leave_user`](Self::leave_user).
    pub async fn leave_connection<G>(&self, connection: ConnectionId, group: G) -> Result<bool>
    where
        G: TryInto<GroupName, Error: Into<Error>>,
    {
        let group = group.try_into().map_err(Into::into)?;
        self.leave_everywhere(ConnectionSelector::Connection(connection), group).await.map(|left| left > 0)
    }

    /// Adds connections of this node to a group. Returns how many have joined, and the first error.
    pub(super) async fn join_here(&self, selector: &ConnectionSelector, group: &GroupName) -> (usize, Option<Error>) {
        let (mut count, mut first_error) = (0, None);
        for connection in self.connections_here(selector) {
            match self.join(&connection, group.clone(), None).await {
                Ok(joined) => count += usize::from(joined),
                // The connection has ended meanwhile, which is not an error.
                Err(_) if connection.has_ended() => {}
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        (count, first_error)
    }

    /// Removes connections of this node from a group. Returns how many have left, and the first error.
    pub(super) async fn leave_here(&self, selector: &ConnectionSelector, group: &GroupName) -> (usize, Option<Error>) {
        let (mut count, mut first_error) = (0, None);
        for connection in self.connections_here(selector) {
            match self.leave(&connection, group).await {
                Ok(left) => count += usize::from(left),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        (count, first_error)
    }

    async fn join_everywhere(&self, selector: ConnectionSelector, group: GroupName) -> Result<usize> {
        let here = self.join_here(&selector, &group).await;
        self.add_elsewhere(here, selector, |selector| Question::Join(selector, group)).await
    }

    async fn leave_everywhere(&self, selector: ConnectionSelector, group: GroupName) -> Result<usize> {
        let here = self.leave_here(&selector, &group).await;
        self.add_elsewhere(here, selector, |selector| Question::Leave(selector, group)).await
    }

    /// Asks the other nodes too, if they may have some of the connections, and adds their count to that of this node.
    /// Returns the error of this node, if any.
    async fn add_elsewhere(
        &self,
        (here, error): (usize, Option<Error>),
        selector: ConnectionSelector,
        question: impl FnOnce(ConnectionSelector) -> Question,
    ) -> Result<usize> {
        let is_own = matches!(selector, ConnectionSelector::Connection(id) if self.registry().is_own(id));
        let elsewhere = if is_own { 0 } else { self.count_elsewhere(question(selector), ANSWER_TIMEOUT).await.0 };
        error.map_or(Ok(here.saturating_add(elsewhere)), Err)
    }

    fn connections_here(&self, selector: &ConnectionSelector) -> Vec<Arc<Connection>> {
        match selector {
            ConnectionSelector::Connection(id) => self.registry().connection(*id).into_iter().collect(),
            ConnectionSelector::User(user) => self.registry().user_connections(user),
        }
    }
}
