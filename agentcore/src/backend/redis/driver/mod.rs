//! What the backend asks of Redis, in its own words: the logic above knows no command, and is tested without Redis too.
//!
//! [`real`] speaks to a server through the `redis` crate, whose types stay there; [`stub`] keeps the same promises in one
//! process. Both pass the same tests.
//!
//! # The registry
//! Who is where, over all nodes. A node writes under its **lease**, which ends by the clock of Redis unless it is renewed;
//! who reads counts only nodes whose lease is live, so a node that died is gone at its end, and removing what it left is
//! mere cleaning. All that belongs together lives in one **epoch**: when Redis has lost any of it, a new epoch begins, in
//! which every node writes what it has. A writer whose lease or epoch is not the current one is **fenced**: it joins again
//! with a new lease, and writes its live state.
//!
//! # Redis was away
//! Every renewal stamps the time. Whoever finds the stamp older than half a lease knows that nobody could renew, and puts a
//! grace of one lease into Redis: until its end no lease counts as ended, for anybody.

mod real;
#[cfg(any(test, feature = "test-util"))]
mod stub;
#[cfg(test)]
mod tests;

pub(crate) use real::{DriverConfig, RealDriver};
#[cfg(any(test, feature = "test-util"))]
pub(crate) use stub::StubServer;

use std::error::Error as _;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::super::{AdmissionLimits, Async, Quota, RateDecision, Refused};
use super::keys::Channel;
use crate::error::{Error, Result};
use crate::id::{GroupName, NodeId, UserId};

/// Opens links to Redis.
pub(crate) trait Driver: fmt::Debug + Send + Sync + 'static {
    /// A link for commands. It answers or fails within a second, each time, and what takes several steps within a second of
    /// each; a second in which this process has run, so one that stood still takes nobody for dead. Once a link has failed
    /// in its transport it is dead, and another must be opened.
    fn commands(&self) -> Async<'static, Result<Arc<dyn Commands>>>;

    /// A link that receives. `events` is called in the order in which things happened, from one task, and must not wait.
    fn subscription(&self, events: EventSink) -> Async<'static, Result<Arc<dyn Subscription>>>;
}

/// Hears what a subscription receives.
pub(crate) type EventSink = Arc<dyn Fn(SubscriptionEvent) + Send + Sync>;

/// What a subscription receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SubscriptionEvent {
    /// A payload on a channel.
    Message(Channel, Bytes),
    /// Nothing more comes on a channel.
    Unsubscribed(Channel),
    /// The link is dead. Nothing more comes at all.
    Lost,
}

/// The receiving link. Dropping it ends it.
pub(crate) trait Subscription: Send + Sync {
    /// Ends when messages arrive on all of these channels; costs one round trip.
    fn subscribe(&self, channels: Vec<Channel>) -> Async<'static, Result<()>>;

    /// Ends when none arrives any more.
    fn unsubscribe(&self, channels: Vec<Channel>) -> Async<'static, Result<()>>;

    /// Whether the other side is there.
    fn ping(&self) -> Async<'static, Result<()>>;
}

/// The link for commands. Dropping it ends it.
pub(crate) trait Commands: Send + Sync {
    /// Publishes payloads in order, in one round trip. An error: some or all may not have been.
    fn publish(&self, messages: Vec<(Channel, Bytes)>) -> Async<'static, Result<()>>;

    /// Whether the other side is there.
    fn ping(&self) -> Async<'static, Result<()>>;

    /// Takes a lease and begins to write under it; an earlier one of the same node is not touched. Fails when a later join
    /// of the same life has come before: its bytes were held up on a link that was given up.
    fn join(&self, joining: JoinRequest) -> Async<'static, Result<ClusterView>>;

    /// Renews a lease. `None`: fenced.
    fn renew(&self, writer: WriteLease) -> Async<'static, Result<Option<ClusterView>>>;

    /// Writes changes in order, each in one step, and some hundreds of them in the same. `None`: fenced, now and for good,
    /// so nothing counts of what was done before.
    fn write(&self, writer: WriteLease, changes: Arc<[Change]>) -> Async<'static, Result<Option<Vec<ChangeOutcome>>>>;

    /// Removes what a lease has written, and the lease; presences that end so are announced. Only one that has ended, or
    /// the caller's `own`. In small steps: others come in between. Doing it twice, or two at once, does no harm.
    fn remove(&self, lease: u64, own: bool) -> Async<'static, Result<()>>;

    /// Announces presences whose grace is over; returns how soon the next one is.
    fn announce_left(&self) -> Async<'static, Result<Option<Duration>>>;

    /// How many connections are in each of these groups.
    fn members(&self, groups: Vec<GroupName>) -> Async<'static, Result<Vec<usize>>>;

    /// How many users are present in each of these groups.
    fn present(&self, groups: Vec<GroupName>) -> Async<'static, Result<Vec<usize>>>;

    /// How many users have a place.
    fn users(&self) -> Async<'static, Result<usize>>;

    /// Whether a user has a place.
    fn has_user(&self, user: UserId) -> Async<'static, Result<bool>>;

    /// Decides on a rate by the rules of [`RateLimiter`](super::super::RateLimiter) and the clock of Redis; `subject` is the name
    /// under which it is counted. All quotas or none, in one step.
    fn take(&self, subject: String, quotas: Vec<Quota>, cost: u32) -> Async<'static, Result<RateDecision>>;
}

/// Under which lease and in which epoch somebody writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WriteLease {
    pub(crate) lease: u64,
    pub(crate) epoch: u64,
    /// The bounds that admission keeps.
    pub(crate) limits: AdmissionLimits,
}

/// A node that takes a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JoinRequest {
    /// Chosen at random.
    pub(crate) lease: u64,
    /// The node's name, and which life of it this is; the same for all leases of a life.
    pub(crate) node: NodeId,
    pub(crate) origin: u64,
    /// The places that its connections and groups have already: they count from now on, also over the limits.
    pub(crate) places: usize,
    pub(crate) groups: usize,
    /// Which join of this life it is; each is later than those with lower numbers.
    pub(crate) number: u64,
    /// The epoch in which it wrote before. When it is not the current one, Redis has lost what was in it: for one lease
    /// nobody can know what the others have, and admissions are [`ChangeOutcome::Uncertain`].
    pub(crate) before: Option<u64>,
}

/// Says that Redis has answered, and has done nothing.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct RedisRefusal(String);

/// Whether Redis has refused, and so has done nothing; with any other failure nobody knows.
pub(crate) fn is_refused(error: &Error) -> bool {
    error.source().is_some_and(|source| source.is::<RedisRefusal>())
}

/// The error of a [join](Commands::join) that came too late.
fn overtaken() -> Error {
    Error::backend("the registry in Redis is taken")
        .with_source(RedisRefusal("a later join of this node was first".to_owned()))
}

/// A node with a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) lease: u64,
    pub(crate) node: NodeId,
    pub(crate) origin: u64,
    /// The places of its connections, as far as Redis was told.
    pub(crate) places: usize,
}

/// The cluster at the time of a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClusterView {
    pub(crate) epoch: u64,
    /// Nodes whose lease is live, the own one too.
    pub(crate) live: Vec<Peer>,
    /// Nodes whose lease has ended, and whose keys are still there.
    pub(crate) ended: Vec<Peer>,
    /// Places of groups of the live nodes.
    pub(crate) groups: usize,
    /// How long it is still unsure what the nodes have: Redis has lost it, and not all may have written again.
    pub(crate) unsure: Option<Duration>,
    /// How soon a presence must be announced as left.
    pub(crate) next_left: Option<Duration>,
}

/// A change of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// Takes a place for a connection: one more of all, of the user, of the address.
    Admit(UserId, Option<IpAddr>),
    /// Takes one that was given while Redis could not be asked, also over the limit.
    Take(UserId, Option<IpAddr>),
    /// Gives one back.
    Release(UserId, Option<IpAddr>),
    /// The user has so many places on this node; [`JoinRequest::places`] has them already.
    Places(UserId, usize),
    /// As many are of connections from an address.
    PlacesOf(IpAddr, usize),
    /// The node wants so many places for groups in all; it gets as many of them as there are, but keeps those it says it
    /// needs, also over the limit. [`ChangeOutcome::Uncertain`] after a loss: it keeps what it has or needs, which is not all.
    Groups { wanted: usize, needed: usize },
    /// So many connections of this node are in a group.
    Members(GroupName, usize),
    /// A user has a connection of this node that makes it present in a group.
    Enter(EnterPresence),
    /// It has none any more. `lost`: it is announced as left when the grace is over, unless it comes back.
    Exit { group: GroupName, user: UserId, lost: bool },
}

/// A presence that begins on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EnterPresence {
    pub(crate) group: GroupName,
    pub(crate) user: UserId,
    /// Payload for the group's channel; published in the same step when it is the first node with the user there, and the
    /// user is not in its grace.
    pub(crate) joined: Bytes,
    /// Payload for when the last one has gone; kept in the registry.
    pub(crate) left: Bytes,
    /// Written after a loss: the epoch is new, and others heard of the user before. Nothing is published within the first
    /// lease of an epoch that began with a loss.
    pub(crate) again: bool,
}

/// What became of a change.
#[derive(Debug)]
pub(crate) enum ChangeOutcome {
    Done,
    /// Admitted; the user has so many places now, over all nodes.
    Admitted(usize),
    Refused(Refused),
    /// Redis has lost what it knew, and not all nodes may have written again.
    Uncertain,
    /// The node has so many places for groups.
    Groups(usize),
}
