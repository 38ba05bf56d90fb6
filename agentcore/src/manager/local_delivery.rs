//! This node as its backend sees it.

use std::sync::Weak;
use std::time::Duration;

use super::confirm::sum;
use super::inner::{ConnectionManager, ManagerInner};
use super::route::submit_all;
use crate::backend::{Answer, Async, Deliver, Question, ResyncReason};
use crate::error::{CloseCode, CloseReason, Error};
use crate::id::{GroupName, UserId};
use crate::message::OutboundMessage;
use crate::registry::{Affected, Closing, LossReason};

/// Delivers for the backend. The reference is weak because the manager owns the backend.
pub(super) struct LocalDelivery(pub(super) Weak<ManagerInner>);

impl Deliver for LocalDelivery {
    fn deliver(&self, message: OutboundMessage) -> Option<Async<'static, ()>> {
        let unsent = self.0.upgrade()?.deliver(&message, None);
        (!unsent.is_empty()).then(|| Box::pin(submit_all(unsent)) as Async<'static, ()>)
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
                    // The requester applies the timeout.
                    Some(inner) => sum(inner.deliver_confirmed(&message).await, Duration::MAX).await.0,
                    None => 0,
                }),
                Question::Join(selector, group) => Answer::Count(match inner {
                    // Connections that reach their limit of groups are not counted.
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
        let reason = match reason {
            ResyncReason::Backend => LossReason::Backend,
            ResyncReason::Peer => LossReason::Peer,
        };
        for shard in inner.registry.shards() {
            let affected = groups.map_or(Affected::All, |groups| Affected::Groups(groups.to_vec()));
            inner.resyncs.send(shard, affected, reason);
        }
    }
}

impl ManagerInner {
    /// The users of this node in a group, without duplicates.
    pub(super) fn users_in(&self, group: &GroupName) -> Vec<UserId> {
        let mut users: Vec<_> = self.registry.members(group).iter().map(|member| member.user_id().clone()).collect();
        users.sort_unstable();
        users.dedup();
        users
    }

    /// Closes a user's connections on this node with 4401, and returns how many there are.
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
