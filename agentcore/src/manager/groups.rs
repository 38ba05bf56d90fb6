//! Joins and leaves of connections on this node.

use std::sync::Arc;

use super::inner::ConnectionManager;
use crate::backend::{Presence, PresenceExit};
use crate::error::{Error, ErrorCategory, Result, one_line};
use crate::id::GroupName;
use crate::message::EncodedMessage;
use crate::panic::log_anyway;
use crate::registry::{Affected, Command, Connection, GroupPermit, LossReason, Membership};

/// Messages that the members of a group get when a user becomes present and when the presence ends.
pub(crate) struct PresenceMessages {
    pub(crate) joined: EncodedMessage,
    pub(crate) left: EncodedMessage,
}

impl ConnectionManager {
    /// Adds a connection to a group; false if it is a member already.
    pub(crate) async fn join(
        &self,
        connection: &Arc<Connection>,
        group: GroupName,
        presence: Option<PresenceMessages>,
    ) -> Result<bool> {
        let joined = match self.try_join(connection, &group, presence.is_some(), &mut None).await? {
            Some(joined) => joined,
            None => self.join_first(connection, &group, presence.is_some()).await?,
        };
        // Before the next await: if this future is dropped there, the connection has joined all the same.
        if joined {
            self.inner.backend.group_count_changed(&group);
        }
        if let Some(subscribed) = self.inner.backend.subscribe(&group)
            && subscribed.await.is_err()
        {
            // Only this connection: the backend notifies the others when it can receive again.
            let affected = Affected::Groups(vec![group.clone()]);
            let command = Command::ResyncSlot(connection.slot(), affected, LossReason::Backend);
            let shard = connection.shard();
            if let Err(command) = shard.try_submit(command) {
                shard.submit(command).await;
            }
        }
        if let Some(PresenceMessages { joined, left }) = presence {
            let presence = Presence {
                group: group.clone(),
                user: connection.user_id().clone(),
                connection: connection.id(),
                joined: joined.envelope(),
                left: left.envelope(),
            };
            self.inner.backend.enter(presence).await?;
            // If the connection has ended meanwhile, its exit came before this enter and must be repeated.
            if !connection.is_in(group.as_str()) {
                self.exit(connection, &group, true).await?;
            }
        }
        Ok(joined)
    }

    /// Removes a connection from a group; false if it is not a member.
    pub(crate) async fn leave(&self, connection: &Arc<Connection>, group: &GroupName) -> Result<bool> {
        let shard = connection.shard();
        let queue_permit = shard.reserve().await;
        let left = connection.with_groups(|groups| {
            let at = groups.iter().position(|membership| membership.group == *group)?;
            let membership = groups.remove(at);
            let group_permit = self.registry().directory().remove(group, shard.index());
            shard.submit_reserved(queue_permit, Command::Leave(connection.slot(), group.clone()));
            Some((membership, group_permit))
        });
        let Some((membership, group_permit)) = left.flatten() else { return Ok(false) };
        if group_permit.is_some() {
            self.inner.backend.unsubscribe(group);
        }
        drop(group_permit);
        self.inner.backend.group_count_changed(group);
        if membership.present {
            self.exit(connection, group, false).await?;
        }
        Ok(true)
    }

    /// Removes an ended connection from all its groups. Returns those in which it made its user present.
    pub(super) fn leave_all(&self, connection: &Arc<Connection>) -> Vec<GroupName> {
        let shard = connection.shard();
        let directory = self.registry().directory();
        let mut emptied = Vec::new();
        let memberships = connection.end_groups(|membership| {
            if let Some(permit) = directory.remove(&membership.group, shard.index()) {
                emptied.push((membership.group.clone(), permit));
            }
        });
        shard.leave_all(connection.slot());
        for (group, permit) in emptied {
            self.inner.backend.unsubscribe(&group);
            drop(permit);
        }
        for membership in &memberships {
            self.inner.backend.group_count_changed(&membership.group);
        }
        memberships.into_iter().filter(|membership| membership.present).map(|membership| membership.group).collect()
    }

    /// Ends the presences of an ended connection.
    pub(crate) async fn exit_all(&self, connection: &Arc<Connection>, groups: &[GroupName]) {
        for group in groups {
            if let Err(error) = self.exit(connection, group, true).await {
                log_anyway(|| tracing::warn!(group = %one_line(group.as_str()), %error, "cannot end a presence"));
            }
        }
    }

    /// Joins a group that has no member on this node. Joins of one group run one at a time: of two concurrent ones only
    /// the first needs a permit, and the second must not be refused for the permit that the first one holds.
    async fn join_first(&self, connection: &Arc<Connection>, group: &GroupName, present: bool) -> Result<bool> {
        let _lock = self.inner.first_joins.lock(group).lock().await;
        let mut permit = None;
        loop {
            if let Some(joined) = self.try_join(connection, group, present, &mut permit).await? {
                return Ok(joined);
            }
            permit = Some(self.admit_group().await?);
        }
    }

    /// Adds a connection to a group; false if it is a member already, `None` if the group needs a permit first.
    async fn try_join(
        &self,
        connection: &Arc<Connection>,
        group: &GroupName,
        present: bool,
        permit: &mut Option<GroupPermit>,
    ) -> Result<Option<bool>> {
        let shard = connection.shard();
        // Reserved first, because nothing can wait while the connection's groups are locked.
        let queue_permit = shard.reserve().await;
        let max = self.inner.settings.ws_max_groups_per_connection;
        let joined = connection.with_groups(|groups| {
            if let Some(membership) = groups.iter_mut().find(|membership| membership.group == *group) {
                membership.present |= present;
                return Ok(Some(false));
            }
            if groups.len() >= max {
                return Err(Error::limit(format!("a connection is in at most {max} groups; leave one first")));
            }
            if !self.registry().directory().add(group, shard.index(), permit) {
                return Ok(None);
            }
            groups.push(Membership { group: group.clone(), present });
            shard.submit_reserved(queue_permit, Command::Join(connection.slot(), group.clone()));
            Ok(Some(true))
        });
        joined.unwrap_or_else(|| {
            Err(Error::new(ErrorCategory::Connection, "CONNECTION_CLOSED", "the connection has ended"))
        })
    }

    /// Ends a presence in a task of its own: a handler that is dropped at its deadline must not leave its user present
    /// forever.
    async fn exit(&self, connection: &Arc<Connection>, group: &GroupName, lost: bool) -> Result<()> {
        let (backend, connection, group) = (self.inner.backend.clone(), connection.clone(), group.clone());
        let exiting = tokio::spawn(async move {
            let exit = PresenceExit { group: &group, user: connection.user_id(), connection: connection.id(), lost };
            backend.exit(exit).await
        });
        exiting.await.unwrap_or_else(|failed| Err(Error::internal(failed)))
    }
}
