//! The operations that the backend needs from Redis, without its commands.
//!
//! [`real`] implements them over a server through the `redis` crate, whose types stay there; [`stub`] implements them
//! in the process, so that everything above is tested without Redis too. Both pass the same tests.
//!
//! # The registry
//! The registry holds the connections, group members and presences of all nodes. A node writes under a **lease**, which
//! expires by the clock of Redis unless the node renews it. Readers count only nodes with a live lease, so a node that
//! died drops out of every count when its lease expires; removing its keys only frees memory. All keys belong to one
//! **epoch**. If Redis loses any of them, a new epoch begins, and every node writes its state again. A writer whose lease
//! or epoch is not current is **fenced**: it joins again under a new lease and writes its state.
//!
//! # When Redis was unreachable
//! Every renewal stores a timestamp. A script that finds it older than half a lease knows that no node could renew, and
//! grants a grace period of one lease, in which no lease expires.

mod real;
mod refusal;
mod registry;
#[cfg(any(test, feature = "test-util"))]
mod stub;
#[cfg(test)]
mod tests;

pub(crate) use real::{DriverConfig, RealDriver};
pub(crate) use refusal::is_refused;
pub(crate) use registry::{Change, ChangeOutcome, ClusterView, EnterPresence, JoinRequest, Peer, WriteLease};
#[cfg(any(test, feature = "test-util"))]
pub(crate) use stub::StubServer;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::keys::Channel;
use crate::backend::{Async, Quota, RateDecision};
use crate::error::Result;
use crate::id::{GroupName, UserId};

/// Opens connections to Redis.
pub(crate) trait Driver: fmt::Debug + Send + Sync + 'static {
    /// Opens a connection for commands.
    ///
    /// Every command completes or fails within a second; a command of several steps, within a second for each. Only
    /// time in which this process runs counts, so a process that was suspended does not take Redis for dead. A
    /// connection that has failed at the transport level stays dead; open another one.
    fn commands(&self) -> Async<'static, Result<Arc<dyn Commands>>>;

    /// Opens a connection that receives messages. `events` is called from one task, in order, and must not block.
    fn subscription(&self, events: EventSink) -> Async<'static, Result<Arc<dyn Subscription>>>;
}

/// Takes the events of a subscription.
pub(crate) type EventSink = Arc<dyn Fn(SubscriptionEvent) + Send + Sync>;

/// An event of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SubscriptionEvent {
    /// A payload arrived on a channel.
    Message(Channel, Bytes),
    /// No more payloads arrive on a channel.
    Unsubscribed(Channel),
    /// The connection is dead. No more events follow.
    Lost,
}

/// The subscriber connection. Dropping it closes it.
pub(crate) trait Subscription: Send + Sync {
    /// Subscribes to channels in one round trip. Completes when messages arrive on all of them.
    fn subscribe(&self, channels: Vec<Channel>) -> Async<'static, Result<()>>;

    /// Unsubscribes from channels. Completes when no more messages arrive on them.
    fn unsubscribe(&self, channels: Vec<Channel>) -> Async<'static, Result<()>>;

    /// Checks that Redis answers.
    fn ping(&self) -> Async<'static, Result<()>>;

    /// Returns the run id of the server; `None` when the server does not report it.
    fn run_id(&self) -> Async<'static, Result<Option<String>>>;
}

/// The command connection. Dropping it closes it.
pub(crate) trait Commands: Send + Sync {
    /// Returns the run id of the server, which is another one after each restart; `None` when the server does not report
    /// it.
    fn run_id(&self) -> Option<&str>;

    /// Tries once every command that the node needs, except PUBLISH and SUBSCRIBE.
    ///
    /// # Errors
    /// The server does not permit one of them, or it is no single server.
    fn try_commands(&self) -> Async<'static, Result<()>>;

    /// Publishes payloads in order, in one round trip. After an error, any of them may have been published.
    fn publish(&self, messages: Vec<(Channel, Bytes)>) -> Async<'static, Result<()>>;

    /// Checks that Redis answers.
    fn ping(&self) -> Async<'static, Result<()>>;

    /// Takes a lease; earlier leases of the node are not changed. Fails when a later join of the same incarnation came
    /// first: this one was delayed on a connection that the node has given up.
    fn join(&self, request: JoinRequest) -> Async<'static, Result<ClusterView>>;

    /// Renews a lease. Returns `None` when the writer is fenced.
    fn renew(&self, lease: WriteLease) -> Async<'static, Result<Option<ClusterView>>>;

    /// Writes changes in order. Each is atomic, and up to some hundreds share one atomic step. Returns `None` when the
    /// writer is fenced; it stays so, and no earlier step of the call counts.
    fn write(&self, lease: WriteLease, changes: Arc<[Change]>) -> Async<'static, Result<Option<Vec<ChangeOutcome>>>>;

    /// Removes a lease and all that was written under it, and announces the presences that end with it. Only an expired
    /// lease is removed, or the caller's `own`. Runs in small steps between which other commands run. Repeated and
    /// concurrent calls are harmless.
    fn remove(&self, lease: u64, own: bool) -> Async<'static, Result<()>>;

    /// Publishes the leave messages whose grace period is over. Returns the time until the next one is due.
    fn announce_left(&self) -> Async<'static, Result<Option<Duration>>>;

    /// Returns the number of connections in each group.
    fn member_counts(&self, groups: Vec<GroupName>) -> Async<'static, Result<Vec<usize>>>;

    /// Returns the number of present users in each group.
    fn present_counts(&self, groups: Vec<GroupName>) -> Async<'static, Result<Vec<usize>>>;

    /// Returns the number of users with an admitted connection.
    fn user_count(&self) -> Async<'static, Result<usize>>;

    /// Returns whether a user has an admitted connection.
    fn has_user(&self, user: UserId) -> Async<'static, Result<bool>>;

    /// Decides by the rules of [`RateLimiter`](crate::backend::RateLimiter) and the clock of Redis whether a message of
    /// `subject` passes, and counts it against all quotas or none, in one step.
    fn check_rate(&self, subject: String, quotas: Vec<Quota>, cost: u32) -> Async<'static, Result<RateDecision>>;
}
