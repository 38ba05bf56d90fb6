//! The contract between nodes: the [`Backend`] trait and its implementations.
//!
//! A backend carries messages to the other nodes and answers questions about the whole cluster. It does not write to
//! connections: it hands messages of other nodes to [`Deliver`], which the connection manager implements.
//! [`MemoryBackend`] serves a single process; [`RedisBackend`] joins many nodes.

mod admission;
mod counts;
mod memory;
mod presence;
mod rate;
#[cfg(feature = "redis")]
mod redis;

pub(crate) use admission::network_of;
pub use admission::{Admission, AdmissionLimits, AdmissionTable, Refused};
pub use memory::MemoryBackend;
pub use presence::{PRESENCE_GRACE, Presence, PresenceExit, PresenceTable};
pub(crate) use rate::ShardedLimiter;
#[cfg(feature = "redis")]
pub(crate) use rate::window_granularity;
pub use rate::{MessageClass, Quota, RateAlgorithm, RateCheck, RateDecision, RateLimiter, RateRequest, Subject};
#[cfg(all(feature = "redis", feature = "test-util"))]
pub(crate) use redis::StubServer as Stub;
#[cfg(feature = "redis")]
pub use redis::{Publisher, PublisherTo, RedisBackend};

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::id::{ConnectionId, GroupName, NodeId, UserId};
use crate::message::OutboundMessage;
use crate::supervise::Supervisor;

/// A boxed future. `Backend` is used as a trait object, so that a setting selects the implementation at run time.
pub type Async<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The node that a backend serves.
#[derive(Debug, Clone)]
pub struct Node {
    /// The name of the node.
    pub id: NodeId,
    /// Random number of this start of the node; tells its entries from those that an earlier start left behind.
    pub incarnation: u64,
    /// Limits that admission enforces.
    pub limits: AdmissionLimits,
    /// Runs the background tasks of the backend: restarts a task that panics and reports it in `/health`.
    pub supervisor: Supervisor,
}

/// The connection of one node to the other nodes.
///
/// # Contract
/// - **Subscriptions** are level-triggered. [`subscribe`](Self::subscribe) and [`unsubscribe`](Self::unsubscribe) only
///   say that the node's interest in a group may have changed. The backend reads [`Deliver::has_members`] when it acts
///   and never replays calls, so they may arrive in any order.
/// - **Order**: messages that one task publishes to one recipient reach every other node in the order of publication,
///   at most once each.
/// - **Loss** is reported: if messages for a node may have been lost, its [`Deliver::resync`] is called.
/// - **Rate limits** are exact: over all nodes, a subject never exceeds its quotas.
/// - **Admission** is exact: check and count are one atomic step under any concurrency.
/// - **Cancel safety**: dropping a returned future leaves the backend consistent. The operation may or may not take
///   effect.
///
/// Methods that return no future do not block and may be called from any task.
pub trait Backend: fmt::Debug + Send + Sync + 'static {
    /// Returns the name by which `BACKEND_TYPE` selects this backend.
    fn name(&self) -> &'static str;

    /// Joins the cluster. The caller calls it once, before any other method.
    ///
    /// # Errors
    /// The backend cannot be reached, refuses the node, or already serves a node.
    fn start(&self, node: Node, deliver: Arc<dyn Deliver>) -> Async<'_, Result<()>>;

    /// Returns whether the node can admit connections at present, for `/ready`.
    ///
    /// # Errors
    /// The reason why it admits none until later.
    fn readiness(&self) -> Result<()> {
        Ok(())
    }

    /// Leaves the cluster: publishes what is queued, then removes all state of this node.
    fn stop(&self) -> Async<'_, ()>;

    /// Subscribes this node to `group`; called after a connection of this node has joined it.
    ///
    /// Returns `None` if messages of other nodes already arrive. Otherwise the future resolves when they do.
    ///
    /// # Errors
    /// The subscription cannot be made now; the backend makes it later. Until then the connection may miss messages,
    /// and the caller sends it a resync. The backend calls [`Deliver::resync`] for the other members of the group.
    fn subscribe(&self, group: &GroupName) -> Option<Async<'static, Result<()>>>;

    /// Ends the subscription to `group`; called after the last connection of this node has left it. The backend may
    /// delay this in case a member comes back.
    fn unsubscribe(&self, group: &GroupName);

    /// Publishes a message to the other nodes. The caller then delivers it to the connections of this node.
    ///
    /// Completes when the message is queued; it does not wait for a round trip to the other nodes.
    fn publish(&self, message: &OutboundMessage) -> Publish;

    /// Admits a connection. A successful call is paired with one call of [`release`](Self::release).
    ///
    /// # Errors
    /// The limit that is reached, or [`Refused::Backend`]. A refused connection is not counted.
    fn admit<'a>(&'a self, admission: &'a Admission) -> Async<'a, Result<(), Refused>>;

    /// Releases the admission of a connection.
    fn release(&self, admission: &Admission);

    /// Admits a group that is about to get its first member on this node. A successful call is paired with one call of
    /// [`release_group`](Self::release_group).
    ///
    /// If the backend cannot reach the other nodes it decides by local state, so that joining works without them.
    ///
    /// # Errors
    /// [`Refused::Groups`] or [`Refused::Backend`]. A refused group is not counted.
    fn admit_group(&self) -> Async<'_, Result<(), Refused>>;

    /// Releases the admission of a group whose last member has left this node.
    fn release_group(&self);

    /// Decides whether a message passes the rate limit of a user, an address or a key, and counts it if it does.
    ///
    /// One atomic step over all quotas and all nodes, by the clock of the backend: the message is counted in all quotas
    /// or in none. [`RateLimiter`] defines the algorithms. If the backend returns an error, the caller decides by the
    /// messages that this node has seen.
    fn check_rate(&self, request: &RateRequest<'_>) -> RateCheck;

    /// Notes that the number of connections that this node has in `group` may have changed.
    ///
    /// The backend may batch such notes. It reads [`Deliver::group_count`] when it acts, because concurrent changes are
    /// noted in any order.
    fn group_count_changed(&self, group: &GroupName);

    /// Returns the number of connections in `group` over all nodes.
    ///
    /// # Errors
    /// The backend is not started or cannot be reached. It may instead return the count of this node.
    fn group_count<'a>(&'a self, group: &'a GroupName) -> Async<'a, Result<usize>>;

    /// Returns the number of users with a connection on any node.
    ///
    /// # Errors
    /// The backend is not started or cannot be reached. It may instead return the count of this node.
    fn online_count(&self) -> Async<'_, Result<usize>>;

    /// Returns whether `user` has a connection on any node.
    ///
    /// # Errors
    /// The backend is not started, or it cannot be reached and the user has no connection on this node.
    fn is_online<'a>(&'a self, user: &'a UserId) -> Async<'a, Result<bool>>;

    /// Makes the user of a connection present in a group. If it is the first connection of the user there over all
    /// nodes, the other members get the join message.
    ///
    /// # Errors
    /// The presence could not be recorded.
    fn enter(&self, presence: Presence) -> Async<'_, Result<()>>;

    /// Ends the presence of a connection. If it was the last connection of the user in the group over all nodes, the
    /// other members get the leave message: at once if the connection left the group, after [`PRESENCE_GRACE`] if it was lost,
    /// so that reloading a page does not announce a leave.
    ///
    /// # Errors
    /// The change could not be recorded.
    fn exit<'a>(&'a self, exit: PresenceExit<'a>) -> Async<'a, Result<()>>;

    /// Returns the number of users present in each of `groups` over all nodes, in the same order. Excludes users who
    /// are within [`PRESENCE_GRACE`] after losing their last connection.
    ///
    /// # Errors
    /// The counts could not be read.
    fn present_counts<'a>(&'a self, groups: &'a [GroupName]) -> Async<'a, Result<Vec<usize>>>;

    /// Returns the kinds of failures between nodes with their number since the start, for `/metrics`.
    fn events(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// Asks all other nodes that may know the answer and collects their answers for at most `within`.
    fn ask(&self, question: Question, within: Duration) -> Async<'_, Answers>;
}

/// The state of a message after [`Backend::publish`].
pub enum Publish {
    /// The message is queued, or no other node needs it. On an error no other node gets it.
    Done(Result<()>),
    /// The queue is full. The future resolves when the message is queued, or when it is given up as lost and will be
    /// reported to the other nodes.
    Wait(Async<'static, Result<()>>),
}

impl fmt::Debug for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(result) => f.debug_tuple("Done").field(result).finish(),
            Self::Wait(_) => f.write_str("Wait"),
        }
    }
}

/// A question or request that a node sends to the other nodes.
#[derive(Debug, Clone)]
pub enum Question {
    /// Asks for the users in a group.
    Members(GroupName),
    /// Asks for the connections of a user.
    ConnectionsOf(UserId),
    /// Closes the connections of a user.
    Disconnect(UserId),
    /// Delivers a message and asks how many connections took it.
    Deliver(OutboundMessage),
    /// Adds connections to a group.
    Join(ConnectionSelector, GroupName),
    /// Removes connections from a group.
    Leave(ConnectionSelector, GroupName),
}

/// Selects the connections that join or leave a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionSelector {
    /// One connection.
    Connection(ConnectionId),
    /// All connections of a user.
    User(UserId),
}

/// The answer of one node to a [`Question`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The users in the group.
    Members(Vec<UserId>),
    /// The connections of the user.
    Connections(Vec<ConnectionId>),
    /// The number of connections that were closed, took the message, joined or left.
    Count(usize),
}

/// The answers of the other nodes to a [`Question`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// The answers that arrived in time; a long answer may arrive in several parts.
    pub answers: Vec<Answer>,
    /// Whether every node answered in time.
    pub complete: bool,
}

/// The cause of a possible loss of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResyncReason {
    /// The backend lost messages.
    Backend,
    /// Another node disappeared without leaving the cluster.
    Peer,
}

/// The local node as its backend sees it; implemented by the connection manager.
pub trait Deliver: Send + Sync + 'static {
    /// Delivers a message to the connections of this node. Returns a future only if a queue is full; it resolves when
    /// the message is queued.
    ///
    /// # Cancel safety
    /// Dropping the future drops the message for connections whose queue was full.
    fn deliver(&self, message: OutboundMessage) -> Option<Async<'static, ()>>;

    /// Returns whether a connection of this node is in `group`.
    fn has_members(&self, group: &GroupName) -> bool;

    /// Returns whether `user` has a connection on this node.
    fn has_user(&self, user: &UserId) -> bool;

    /// Returns the number of connections of this node in `group`.
    fn group_count(&self, group: &GroupName) -> usize;

    /// Returns the number of users with a connection on this node.
    fn user_count(&self) -> usize;

    /// Answers a question of another node. Any requested change begins when the future is first polled.
    fn answer(&self, question: Question) -> Async<'static, Answer>;

    /// Tells connections that they may have missed messages: those in `groups`, or all of this node if `None`.
    fn resync(&self, groups: Option<&[GroupName]>, reason: ResyncReason);
}
