//! Resyncs for shards whose queue is full.

use std::collections::HashMap;
use std::sync::Arc;

use crate::registry::{Affected, Command, LossReason, Shard};
use crate::sync::{Mutex, lock};

/// Resyncs that wait for room in the queue of a shard, by the index of the shard.
///
/// An entry exists while a task waits for room; further resyncs are merged into it. So a worker that is stuck costs one
/// task and one entry.
#[derive(Debug, Default, Clone)]
pub(super) struct PendingResyncs(Arc<Mutex<HashMap<u16, (Affected, LossReason)>>>);

impl PendingResyncs {
    /// Sends a resync to the connections of a shard, as soon as its queue has room.
    pub(super) fn send(&self, shard: &Arc<Shard>, affected: Affected, reason: LossReason) {
        if let Some(pending) = lock(&self.0).get_mut(&shard.index()) {
            return merge(pending, reason);
        }
        let Err(Command::Resync(affected, reason)) = shard.try_submit(Command::Resync(affected, reason)) else {
            return;
        };
        let Some(runtime) = shard.runtime() else { return };
        {
            let mut pending = lock(&self.0);
            // Another thread may have added an entry since.
            if let Some(pending) = pending.get_mut(&shard.index()) {
                return merge(pending, reason);
            }
            pending.insert(shard.index(), (affected, reason));
        }
        let (resyncs, shard) = (self.clone(), shard.clone());
        runtime.spawn(async move {
            let permit = shard.reserve().await;
            // Removed only with the permit in hand, so that at most one task waits.
            let pending = lock(&resyncs.0).remove(&shard.index());
            if let Some((affected, reason)) = pending {
                shard.submit_reserved(permit, Command::Resync(affected, reason));
            }
        });
    }
}

/// Merges a resync into a pending one. It then covers all groups, so that the entry does not grow.
fn merge((affected, earlier): &mut (Affected, LossReason), reason: LossReason) {
    *affected = Affected::All;
    *earlier = reason.max(*earlier);
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::time::Duration;

    use tokio::runtime::Handle;

    use super::*;
    use crate::id::GroupName;
    use crate::registry::{OutboxLimits, ShardSettings};

    #[tokio::test]
    async fn resyncs_for_a_stuck_worker_cost_one_task() {
        let outbox = OutboxLimits { max_bytes: 1 << 20, write_timeout: Duration::from_secs(10) };
        let settings = ShardSettings { outbox, heartbeat: None };
        let shard = Shard::new(0, Some(Handle::current()), false, settings);
        let (resyncs, group) = (PendingResyncs::default(), GroupName::new("g").unwrap());
        let before = Handle::current().metrics().num_alive_tasks();
        for _ in 0..10_000 {
            resyncs.send(&shard, Affected::Groups(vec![group.clone()]), LossReason::Backend);
        }
        resyncs.send(&shard, Affected::Groups(vec![group.clone()]), LossReason::Peer);
        assert_eq!(Handle::current().metrics().num_alive_tasks() - before, 1);
        assert_eq!(lock(&resyncs.0).get(&0), Some(&(Affected::All, LossReason::Backend)));
        let running = tokio::spawn(shard.clone().run());
        while !lock(&resyncs.0).is_empty() {
            tokio::task::yield_now().await;
        }
        running.abort();
    }
}
