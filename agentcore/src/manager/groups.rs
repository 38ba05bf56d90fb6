//! Joining and leaving.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::ConnectionManager;
use crate::backend::{Count, Exit, Presence};
use crate::error::{Error, Result};
use crate::id::{GroupName, UserId};
use crate::registry::{Command, Connection, Membership, Place};
use crate::wire::Frame;

/// The messages that a user's presence in a group begins and ends with.
pub(crate) struct PresentIn {
    pub(crate) joined: Frame,
    pub(crate) left: Frame,
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
    /// Brings all connections that a user has on this node into a group.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED` when one of them is in as many groups as it may be.
    ///
    /// # Cancel safety
    /// Dropping the future leaves each connection either in the group or not.
    pub async fn join_user<U, G>(&self, user: U, group: G) -> Result<()>
    where
        U: TryInto<UserId, Error: Into<Error>>,
        G: TryInto<GroupName, Error: Into<Error>>,
    {
        let (user, group) = (user.try_into().map_err(Into::into)?, group.try_into().map_err(Into::into)?);
        for connection in self.registry().of_user(&user) {
            self.join(&connection, group.clone(), None).await?;
        }
        Ok(())
    }

    /// Takes all connections that a user has on this node out of a group.
    ///
    /// # Errors
    /// When the name is none.
    pub async fn leave_user<U, G>(&self, user: U, group: G) -> Result<()>
    where
        U: TryInto<UserId, Error: Into<Error>>,
        G: TryInto<GroupName, Error: Into<Error>>,
    {
        let (user, group) = (user.try_into().map_err(Into::into)?, group.try_into().map_err(Into::into)?);
        for connection in self.registry().of_user(&user) {
            self.leave(&connection, &group).await?;
        }
        Ok(())
    }

    /// Brings a connection into a group; false when it is in it already.
    pub(crate) async fn join(
        &self,
        connection: &Arc<Connection>,
        group: GroupName,
        present: Option<PresentIn>,
    ) -> Result<bool> {
        let joined = match self.enter(connection, &group, present.is_some(), &mut None).await? {
            Some(joined) => joined,
            None => self.enter_first(connection, &group, present.is_some()).await?,
        };
        // Before anything is waited for: whoever drops this future has joined all the same.
        if joined {
            self.inner.backend.record(Count::Group(&group));
        }
        if let Some(subscribed) = self.inner.backend.subscribe(&group) {
            subscribed.await;
        }
        if let Some(PresentIn { joined, left }) = present {
            let presence = Presence {
                group: group.clone(),
                user: connection.user_id().clone(),
                connection: connection.id(),
                joined: joined.payload(),
                left: left.payload(),
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
        place: &mut Option<Place>,
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
            shard.submit_with(queued, Command::Join(connection.member(), group.clone()));
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
            shard.submit_with(place, Command::Leave(connection.member(), group.clone()));
            Some((membership, last))
        });
        let Some((membership, last)) = left.flatten() else { return Ok(false) };
        if last.is_some() {
            self.inner.backend.unsubscribe(group);
        }
        drop(last);
        self.inner.backend.record(Count::Group(group));
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
        shard.leave_all(connection.member());
        for (group, place) in last_ones {
            self.inner.backend.unsubscribe(&group);
            drop(place);
        }
        for membership in &memberships {
            self.inner.backend.record(Count::Group(&membership.group));
        }
        memberships.into_iter().filter(|membership| membership.present).map(|membership| membership.group).collect()
    }

    /// Takes back the presence of an ended connection.
    pub(crate) async fn exit_all(&self, connection: &Arc<Connection>, groups: &[GroupName]) {
        for group in groups {
            if let Err(error) = self.exit(connection, group, true).await {
                tracing::warn!(%group, %error, "presence was not taken back");
            }
        }
    }

    /// In a task of its own: a handler that is dropped at its deadline must not leave its user present for ever.
    async fn exit(&self, connection: &Arc<Connection>, group: &GroupName, lost: bool) -> Result<()> {
        let (backend, connection, group) = (self.inner.backend.clone(), connection.clone(), group.clone());
        let exiting = tokio::spawn(async move {
            let exit = Exit { group: &group, user: connection.user_id(), connection: connection.id(), lost };
            backend.exit(exit).await
        });
        exiting.await.unwrap_or_else(|failed| Err(Error::internal(failed)))
    }
}

fn gone() -> Error {
    Error::new(crate::error::ErrorCategory::Connection, "CONNECTION_CLOSED", "the connection has ended")
}
