//! Several nodes in one test, without a Redis.

use std::time::Duration;

use crate::backend::{RedisBackend, Stub};

/// So long is the lease of a node.
const LEASE: Duration = Duration::from_secs(10);

/// A Redis in the process: nodes with backends of one such are one cluster, on tokio's clock, and fail at will.
///
/// It stands in the place of the server only: all that the Redis backend does above that, it does.
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
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self(Stub::new(LEASE))
    }

    /// One node's backend.
    #[must_use]
    pub fn backend(&self) -> RedisBackend {
        RedisBackend::stubbed(&self.0, LEASE)
    }

    /// It is gone: links die, and every call fails after a second, until it is back. It keeps what it has.
    pub fn set_down(&self, down: bool) {
        self.0.set_down(down);
    }

    /// It neither answers nor closes anything, until it goes on.
    pub fn set_hang(&self, hangs: bool) {
        self.0.set_hang(hangs);
    }

    /// It forgets all it has, as FLUSHALL does.
    pub fn lose_everything(&self) {
        self.0.lose_everything();
    }

    /// The links on which nodes hear each other end.
    pub fn cut_subscriptions(&self) {
        self.0.cut_subscriptions();
    }

    /// The next message between nodes reaches nobody.
    pub fn drop_next_publish(&self) {
        self.0.drop_next_publish();
    }
}
