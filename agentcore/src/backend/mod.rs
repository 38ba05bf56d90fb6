//! What joins nodes into one: the [`Backend`] trait, its contract, and the implementations.
//!
//! A backend carries messages to the other nodes and answers questions that concern all of them. Delivering to the
//! connections of its own node is not its work: it hands what comes from elsewhere to [`Deliver`], which the
//! connection manager implements. In one process, [`MemoryBackend`] is all that is needed; [`RedisBackend`] joins many.

mod admission;
mod memory;
mod presence;
mod rate;
#[cfg(feature = "redis")]
mod redis;

pub use admission::{Admission, AdmissionLimits, AdmissionTable, Refused};
pub use memory::MemoryBackend;
pub use presence::{GRACE, Presence, PresenceTable};
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

/// A boxed future: the trait is used as an object, so that one binary can choose its backend by a setting.
pub type Async<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a backend is told of the node it serves.
#[derive(Debug, Clone)]
pub struct Node {
    /// The node's name.
    pub id: NodeId,
    /// Random for each start, so that what an earlier life of the node left behind is not taken for its own.
    pub incarnation: u64,
    /// The bounds that admission keeps.
    pub limits: AdmissionLimits,
    /// Runs the background tasks of the backend: one that panics is started again, and shows in `/health`.
    pub supervisor: Supervisor,
}

/// The other nodes, as one node sees them.
///
/// # Contract
/// - **Subscriptions** are level-triggered: [`subscribe`](Self::subscribe) and [`unsubscribe`](Self::unsubscribe) say
///   that the node's interest in a group may have changed; the backend reads [`Deliver::has_members`] when it acts, never
///   replaying events, so first joins and last leaves may be announced in any order.
/// - **Order**: messages for one recipient that one task publishes one after another reach each other node in that
///   order, and none twice.
/// - **Loss** is signalled: what could not be carried leads to [`Deliver::resync`], never to silence.
/// - **Rates** are exact: a subject's messages never pass faster than its quotas say, whichever nodes they come to.
/// - **Admission** is exact: check and count are one step, however many ask at once.
/// - **Cancel safety**: dropping a returned future leaves the backend whole; what it was asked may or may not be done.
pub trait Backend: fmt::Debug + Send + Sync + 'static {
    /// The name, as `BACKEND_TYPE` says it.
    fn name(&self) -> &'static str;

    /// Joins the cluster. Called once, before anything else.
    ///
    /// # Errors
    /// When the backend cannot be reached.
    fn start(&self, node: Node, deliver: Arc<dyn Deliver>) -> Async<'_, Result<()>>;

    /// Leaves the cluster: nothing of this node is left behind.
    fn stop(&self) -> Async<'_, ()>;

    /// A connection of this node has entered `group`. The future ends when messages of other nodes arrive for it;
    /// `None` when they do already. An error: they cannot now, and will later; until then the connection may miss some, and
    /// the caller tells it so. The others in the group are told with [`Deliver::resync`], as of any loss.
    fn subscribe(&self, group: &GroupName) -> Option<Async<'static, Result<()>>>;

    /// The last connection of this node has left `group`.
    fn unsubscribe(&self, group: &GroupName);

    /// Hands a message to the other nodes; the own connections are served by the caller afterwards. It does not wait
    /// for a round trip.
    fn publish(&self, message: &OutboundMessage) -> Publish;

    /// Takes a place for a connection, or says which bound is met. A refused one leaves nothing behind.
    fn admit<'a>(&'a self, admission: &'a Admission) -> Async<'a, Result<(), Refused>>;

    /// Gives the place of a connection back.
    fn release(&self, admission: &Admission);

    /// Takes a place for a group that gets its first member on this node, or says that there is none. A backend that
    /// cannot ask the others now decides by what it knows: joining works without them.
    fn admit_group(&self) -> Async<'_, Result<(), Refused>>;

    /// Gives the place of a group back: the last member of this node has left it.
    fn release_group(&self);

    /// Decides whether a message of a user, an address or a key may pass, and counts it if so: in one step over all quotas
    /// and all nodes, all of them or none, by the clock of the backend. [`RateLimiter`] has the rules. When it cannot decide,
    /// it answers with an error, and the node that asked decides by what it has seen itself.
    fn check_rate(&self, request: &RateRequest<'_>) -> RateCheck;

    /// Notes that the number of connections that this node has in `group` may have changed. The backend may batch such
    /// notes; it reads [`Deliver::group_count`] when it acts, because concurrent changes are noted in any order.
    fn group_count_changed(&self, group: &GroupName);

    /// How many connections are in `group` over all nodes.
    fn group_count<'a>(&'a self, group: &'a GroupName) -> Async<'a, Result<usize>>;

    /// How many users have a connection on any node.
    fn online_count(&self) -> Async<'_, Result<usize>>;

    /// Whether `user` has a connection on any node.
    fn is_online<'a>(&'a self, user: &'a UserId) -> Async<'a, Result<bool>>;

    /// Makes a connection's user present in a group; when it is the first one over all nodes, the others in the group
    /// get the join message.
    fn enter(&self, presence: Presence) -> Async<'_, Result<()>>;

    /// Takes a connection's presence back; when it was the user's last one, the others in the group get the leave
    /// message: at once when the user left, after [`GRACE`] when the connection was lost, so that a reload is no leave.
    fn exit<'a>(&'a self, exit: PresenceExit<'a>) -> Async<'a, Result<()>>;

    /// How many users are present in each of these groups, over all nodes, in the order of the groups. A user who may
    /// come back within [`GRACE`] is not.
    fn present_counts<'a>(&'a self, groups: &'a [GroupName]) -> Async<'a, Result<Vec<usize>>>;

    /// What went wrong between the nodes since the start: kinds and counts, for `/metrics`.
    fn events(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// Asks every other node that may know, and waits for their answers no longer than `within`.
    fn ask(&self, question: Question, within: Duration) -> Async<'_, Answers>;
}

/// What became of a message.
pub enum Publish {
    /// It is queued for the other nodes, or there is none that wants it. An error: it was not handed over.
    Done(Result<()>),
    /// The queue is full; the future ends when the message is in it.
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

/// A presence that ends.
#[derive(Debug, Clone, Copy)]
pub struct PresenceExit<'a> {
    /// Where.
    pub group: &'a GroupName,
    /// ConnectionSelector.
    pub user: &'a UserId,
    /// The connection that made the user present.
    pub connection: ConnectionId,
    /// The connection was lost, rather than left the group: the leave message waits.
    pub lost: bool,
}

/// What a node asks the others.
#[derive(Debug, Clone)]
pub enum Question {
    /// Which users are in a group.
    Members(GroupName),
    /// Which connections a user has.
    ConnectionsOf(UserId),
    /// To close a user's connections.
    Disconnect(UserId),
    /// To deliver a message, and to say how many connections took it.
    Deliver(OutboundMessage),
    /// To bring connections into a group.
    Join(ConnectionSelector, GroupName),
    /// To take connections out of a group.
    Leave(ConnectionSelector, GroupName),
}

/// Which connections join or leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionSelector {
    /// One.
    Connection(ConnectionId),
    /// All of a user's.
    User(UserId),
}

/// What one node answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The users in the group.
    Members(Vec<UserId>),
    /// The user's connections.
    Connections(Vec<ConnectionId>),
    /// How many connections it concerned: that were told to close, that took a message, that joined or left.
    Count(usize),
}

/// What the other nodes answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// One from each node that answered.
    pub answers: Vec<Answer>,
    /// Whether every node answered in time.
    pub complete: bool,
}

/// Why connections may have missed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResyncReason {
    /// The backend lost something.
    Backend,
    /// A node vanished.
    Peer,
}

/// The own node, as a backend sees it; the connection manager implements it.
pub trait Deliver: Send + Sync + 'static {
    /// Gives a message to the connections of this node. A future only when a queue is full.
    fn deliver(&self, message: OutboundMessage) -> Option<Async<'static, ()>>;

    /// Whether a connection of this node is in `group`.
    fn has_members(&self, group: &GroupName) -> bool;

    /// Whether `user` has a connection on this node.
    fn has_user(&self, user: &UserId) -> bool;

    /// How many connections of this node are in `group`.
    fn group_count(&self, group: &GroupName) -> usize;

    /// How many users have a connection on this node.
    fn user_count(&self) -> usize;

    /// Answers a question of another node.
    fn answer(&self, question: Question) -> Async<'static, Answer>;

    /// Tells connections that something may be missing: those in `groups`, or all.
    fn resync(&self, groups: Option<&[GroupName]>, reason: ResyncReason);
}
