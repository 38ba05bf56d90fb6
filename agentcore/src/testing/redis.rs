//! Several nodes in one test, without a Redis server.

use std::time::Duration;

use crate::backend::{RedisBackend, Stub};

/// The lease of a node.
const LEASE: Duration = Duration::from_secs(10);

/// An in-process substitute for a Redis server, with faults on demand.
///
/// Nodes with backends of one stub form a cluster, on the clock of the test. Only the server is replaced: all code of
/// the Redis backend above it is the real one.
///
/// # Examples
/// ```
/// # use agentcore::prelude::*;
/// # use agentcore::testing::StubRedis;
/// # #[agentcore::tokio::main(crate = "agentcore::tokio", flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let redis = StubRedis::new();
/// let one = AgentCore::new(Default::default()).backend(redis.backend()).build().await?;
/// let other = AgentCore::new(Default::default()).backend(redis.backend()).build().await?;
/// assert_eq!(one.manager().online_count().await?, 0);
/// # drop(other);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct StubRedis(Stub);

impl std::fmt::Debug for StubRedis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StubRedis")
    }
}

impl Default for StubRedis {
    fn default() -> Self {
        Self::new()
    }
}

impl StubRedis {
    /// Creates a stub without data.
    #[must_use]
    pub fn new() -> Self {
        Self(Stub::new(LEASE))
    }

    /// Returns a backend for one node.
    #[must_use]
    pub fn backend(&self) -> RedisBackend {
        RedisBackend::stubbed(&self.0, LEASE)
    }

    /// Makes the server unreachable while `down` is true: connections break, and every command fails after a second.
    /// Its data stay.
    pub fn set_down(&self, down: bool) {
        self.0.set_down(down);
    }

    /// Makes the server hang while `hangs` is true: it neither answers nor closes connections.
    pub fn set_hang(&self, hangs: bool) {
        self.0.set_hang(hangs);
    }

    /// Deletes all data, as FLUSHALL does.
    pub fn lose_everything(&self) {
        self.0.lose_everything();
    }

    /// Breaks the subscriber connections of all nodes.
    pub fn cut_subscriptions(&self) {
        self.0.cut_subscriptions();
    }

    /// Loses the next message between nodes.
    pub fn drop_next_publish(&self) {
        self.0.drop_next_publish();
    }
}
