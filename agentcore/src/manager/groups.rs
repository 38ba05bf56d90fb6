//! Joining and leaving.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::ConnectionManager;
use crate::backend::{ConnectionSelector, Presence, PresenceExit, Question};
use crate::error::{Error, Result, one_line};
use crate::id::{ConnectionId, GroupName, UserId};
use crate::message::EncodedMessage;
use crate::registry::{Affected, Command, Connection, GroupPermit, LossReason, Membership};

/// The messages that a user's presence in a group begins and ends with.
pub(crate) struct PresenceMessages {
    pub(crate) joined: EncodedMessage,
    pub(crate) left: EncodedMessage,
}

/// Locks for the first joins of groups, by their names; two groups may share one.
#[derive(Debug)]
pub(super) struct FirstJoins([tokio::sync::Mutex<()>; 64]);

impl Default for FirstJoins {
    fn default() -> Self {
        Self(std::array::from_fn(|_| tokio::sync::Mutex::new(())))
    }
}

impl FirstJoins {
    fn of(&self, group: &GroupName) -> &tokio::sync::Mutex<()> {
        let mut hasher = DefaultHasher::new();
        group.hash(&mut hasher);
        let [first, ..] = &self.0;
        let at = usize::try_from(hasher.finish() % self.0.len() as u64).unwrap_or(0);
        self.0.get(at).unwrap_or(first)
    }
}

impl ConnectionManager {
    /// Brings all connections that a user has, on whichever node, into a group; returns how many were not in it.
    ///
    /// # Errors
    /// A name that is none; `LIMIT_EXCEEDED` when a connection of this node is in as many groups as it may be: the others
    /// have joined.
    ///
    /// # Cancel safety
    /// Dropping the future leaves each connection either in the group or not.
    pub async fn join_user<U, G>(&self, user: U, group: G) -> Result<usize>
    where
        U: TryInto<UserId, Error: Into<Error>>,
        G: TryInto<GroupName, Error: Into<Error>>,
    {
        self.join_all(
            ConnectionSelector::User(user.try_into().map_err(Into::into)?),
            group.try_into().map_err(Into::into)?,
        )
        .await
    }

    /// Takes all connections that a user has, on whichever node, out of a group; returns how many were in it.
    ///
    /// # Errors
    /// A name that is none, or `BACKEND_UNAVAILABLE` when a presence could not be taken back.
    pub async fn leave_user<U, G>(&self, user: U, group: G) -> Result<usize>
    where
        U: TryInto<UserId, Error: Into<Error>>,
        G: TryInto<GroupName, Error: Into<Error>>,
    {
        self.leave_all_of(
            ConnectionSelector::User(user.try_into().map_err(Into::into)?),
            group.try_into().map_err(Into::into)?,
        )
        .await
    }

    /// Brings a connection, on whichever node, into a group; false when it is in it already or there is no such
    /// connection.
    ///
    /// # Errors
    /// As [`join_user`](Self::join_user).
    pub async fn join_connection<G>(&self, connection: ConnectionId, group: G) -> Result<bool>
    where
        G: TryInto<GroupName, Error: Into<Error>>,
    {
        let group = group.try_into().map_err(Into::into)?;
        self.join_all(ConnectionSelector::Connection(connection), group).await.map(|joined| joined > 0)
    }

    /// Takes a connection, on whichever node, out of a group; false when it is not in it.
    ///
    /// # Errors
    /// As [`leave_user`](Self::leave_user).
    pub async fn leave_connection<G>(&self, connection: ConnectionId, group: G) -> Result<bool>
    where
        G: TryInto<GroupName, Error: Into<Error>>,
    {
        let group = group.try_into().map_err(Into::into)?;
        self.leave_all_of(ConnectionSelector::Connection(connection), group).await.map(|left| left > 0)
    }

    async fn join_all(&self, selector: ConnectionSelector, group: GroupName) -> Result<usize> {
        let here = self.join_here(&selector, &group).await;
        self.and_elsewhere(here, selector, |selector| Question::Join(selector, group)).await
    }

    async fn leave_all_of(&self, selector: ConnectionSelector, group: GroupName) -> Result<usize> {
        let here = self.leave_here(&selector, &group).await;
        self.and_elsewhere(here, selector, |selector| Question::Leave(selector, group)).await
    }

    /// Asks the other nodes too, where they may have some of the connections; the error is that of this node.
    async fn and_elsewhere(
        &self,
        (here, failed): (usize, Option<Error>),
        selector: ConnectionSelector,
        question: impl FnOnce(ConnectionSelector) -> Question,
    ) -> Result<usize> {
        let is_own = matches!(selector, ConnectionSelector::Connection(id) if self.registry().is_own(id));
        let there = if is_own { 0 } else { self.count_elsewhere(question(selector)).await };
        failed.map_or(Ok(here + there), Err)
    }

    fn connections_here(&self, selector: &ConnectionSelector) -> Vec<Arc<Connection>> {
        match selector {
            ConnectionSelector::Connection(id) => self.registry().connection(*id).into_iter().collect(),
            ConnectionSelector::User(user) => self.registry().user_connections(user),
        }
    }

    /// Brings connections of this node into a group: how many have joined, and the first refusal.
    pub(super) async fn join_here(&self, selector: &ConnectionSelector, group: &GroupName) -> (usize, Option<Error>) {
        let (mut count, mut refused) = (0, None);
        for connection in self.connections_here(selector) {
            match self.join(&connection, group.clone(), None).await {
                Ok(joined) => count += usize::from(joined),
                // It ended meanwhile: there is nothing to bring into the group.
                Err(_) if connection.has_ended() => {}
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        (count, refused)
    }

    /// Takes connections of this node out of a group: how many have left, and the first failure.
    pub(super) async fn leave_here(&self, selector: &ConnectionSelector, group: &GroupName) -> (usize, Option<Error>) {
        let (mut count, mut failed) = (0, None);
        for connection in self.connections_here(selector) {
            match self.leave(&connection, group).await {
                Ok(left) => count += usize::from(left),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        (count, failed)
    }

    /// Brings a connection into a group; false when it is in it already.
    pub(crate) async fn join(
        &self,
        connection: &Arc<Connection>,
        group: GroupName,
        present: Option<PresenceMessages>,
    ) -> Result<bool> {
        let joined = match self.enter(connection, &group, present.is_some(), &mut None).await? {
            Some(joined) => joined,
            None => self.enter_first(connection, &group, present.is_some()).await?,
        };
        // Before anything is waited for: whoever drops this future has joined all the same.
        if joined {
            self.inner.backend.group_count_changed(&group);
        }
        if let Some(subscribed) = self.inner.backend.subscribe(&group)
            && subscribed.await.is_err()
        {
            // Only this one: the others in the group hear of the loss when it ends.
            let gaps = Affected::Groups(vec![group.clone()]);
            let shard = connection.shard();
            if let Err(command) = shard.try_submit(Command::ResyncSlot(connection.slot(), gaps, LossReason::Backend)) {
                shard.submit(command).await;
            }
        }
        if let Some(PresenceMessages { joined, left }) = present {
            let presence = Presence {
                group: group.clone(),
                user: connection.user_id().clone(),
                connection: connection.id(),
                joined: joined.envelope(),
                left: left.envelope(),
            };
            self.inner.backend.enter(presence).await?;
            // A connection that has ended meanwhile has exited too early: nobody would take this back.
            if !connection.is_in(group.as_str()) {
                self.exit(connection, &group, true).await?;
            }
        }
        Ok(joined)
    }

    /// Joins a group that had no member on this node. One at a time for each name: of two that come at once, only the
    /// first may need a place, and the second must not be refused for it.
    async fn enter_first(&self, connection: &Arc<Connection>, group: &GroupName, present: bool) -> Result<bool> {
        let _alone = self.inner.first_joins.of(group).lock().await;
        let mut place = None;
        loop {
            if let Some(joined) = self.enter(connection, group, present, &mut place).await? {
                return Ok(joined);
            }
            place = Some(self.admit_group().await?);
        }
    }

    /// Notes that a connection is in a group: false when it was already, `None` when the group needs a place first.
    async fn enter(
        &self,
        connection: &Arc<Connection>,
        group: &GroupName,
        present: bool,
        place: &mut Option<GroupPermit>,
    ) -> Result<Option<bool>> {
        let shard = connection.shard();
        // The place in the queue comes first: nothing can wait while the connection's groups are locked.
        let queued = shard.reserve().await;
        let max = self.inner.settings.ws_max_groups_per_connection;
        let joined = connection.with_groups(|groups| {
            if let Some(membership) = groups.iter_mut().find(|membership| membership.group == *group) {
                membership.present |= present;
                return Ok(Some(false));
            }
            if groups.len() >= max {
                return Err(Error::limit(format!("a connection is in at most {max} groups; leave one first")));
            }
            if !self.registry().directory().add(group, shard.index(), place) {
                return Ok(None);
            }
            groups.push(Membership { group: group.clone(), present });
            shard.submit_reserved(queued, Command::Join(connection.slot(), group.clone()));
            Ok(Some(true))
        });
        joined.unwrap_or_else(|| Err(gone()))
    }

    /// Takes a connection out of a group; false when it is not in it.
    pub(crate) async fn leave(&self, connection: &Arc<Connection>, group: &GroupName) -> Result<bool> {
        let shard = connection.shard();
        let place = shard.reserve().await;
        let left = connection.with_groups(|groups| {
            let at = groups.iter().position(|membership| membership.group == *group)?;
            let membership = groups.remove(at);
            let last = self.registry().directory().remove(group, shard.index());
            shard.submit_reserved(place, Command::Leave(connection.slot(), group.clone()));
            Some((membership, last))
        });
        let Some((membership, last)) = left.flatten() else { return Ok(false) };
        if last.is_some() {
            self.inner.backend.unsubscribe(group);
        }
        drop(last);
        self.inner.backend.group_count_changed(group);
        if membership.present {
            self.exit(connection, group, false).await?;
        }
        Ok(true)
    }

    /// Takes an ended connection out of all its groups, for good. Returns those in which it made its user present.
    pub(super) fn leave_all(&self, connection: &Arc<Connection>) -> Vec<GroupName> {
        let shard = connection.shard();
        let directory = self.registry().directory();
        let mut last_ones = Vec::new();
        let memberships = connection.end_groups(|membership| {
            if let Some(place) = directory.remove(&membership.group, shard.index()) {
                last_ones.push((membership.group.clone(), place));
            }
        });
        shard.leave_all(connection.slot());
        for (group, place) in last_ones {
            self.inner.backend.unsubscribe(&group);
            drop(place);
        }
        for membership in &memberships {
            self.inner.backend.group_count_changed(&membership.group);
        }
        memberships.into_iter().filter(|membership| membership.present).map(|membership| membership.group).collect()
    }

    /// Takes back the presence of an ended connection.
    pub(crate) async fn exit_all(&self, connection: &Arc<Connection>, groups: &[GroupName]) {
        for group in groups {
            if let Err(error) = self.exit(connection, group, true).await {
                tracing::warn!(group = %one_line(group.as_str()), %error, "presence was not taken back");
            }
        }
    }

    /// In a task of its own: a handler that is dropped at its deadline must not leave its user present for ever.
    async fn exit(&self, connection: &Arc<Connection>, group: &GroupName, lost: bool) -> Result<()> {
        let (backend, connection, group) = (self.inner.backend.clone(), connection.clone(), group.clone());
        let exiting = tokio::spawn(async move {
            let exit = PresenceExit { group: &group, user: connection.user_id(), connection: connection.id(), lost };
            backend.exit(exit).await
        });
        exiting.await.unwrap_or_else(|failed| Err(Error::internal(failed)))
    }
}

fn gone() -> Error {
    Error::new(crate::error::ErrorCategory::Connection, "CONNECTION_CLOSED", "the connection has ended")
}
