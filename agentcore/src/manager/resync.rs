//! Telling connections that something may be missing.

use std::collections::HashMap;
use std::sync::Arc;

use super::ManagerInner;
use crate::backend::ResyncReason;
use crate::id::GroupName;
use crate::registry::{Affected, Command, LossReason, Shard};
use crate::sync::{Mutex, lock};

impl ManagerInner {
    /// Tells the connections in `groups`, or all, that something may be missing.
    pub(super) fn resync(&self, groups: Option<&[GroupName]>, reason: ResyncReason) {
        let cause = match reason {
            ResyncReason::Backend => LossReason::Backend,
            ResyncReason::Peer => LossReason::Peer,
        };
        for shard in self.registry.shards() {
            let gaps = groups.map_or(Affected::All, |groups| Affected::Groups(groups.to_vec()));
            self.resyncs.tell(shard, gaps, cause);
        }
    }
}

/// What the connections of shards are still to be told whose queues were full, by the shard's number.
///
/// An entry is there as long as a task waits for room, and what comes meanwhile goes into it: a worker that is stuck for
/// ever holds one task and one entry.
#[derive(Debug, Default, Clone)]
pub(super) struct PendingResyncs(Arc<Mutex<HashMap<u16, (Affected, LossReason)>>>);

impl PendingResyncs {
    fn tell(&self, shard: &Arc<Shard>, gaps: Affected, cause: LossReason) {
        if let Some(waiting) = lock(&self.0).get_mut(&shard.index()) {
            return join(waiting, cause);
        }
        let Err(Command::Resync(gaps, cause)) = shard.try_submit(Command::Resync(gaps, cause)) else { return };
        let Some(runtime) = shard.runtime() else { return };
        {
            let mut waiting = lock(&self.0);
            // Another thread may have come to the same.
            if let Some(waiting) = waiting.get_mut(&shard.index()) {
                return join(waiting, cause);
            }
            waiting.insert(shard.index(), (gaps, cause));
        }
        let (resyncs, shard) = (self.clone(), shard.clone());
        runtime.spawn(async move {
            let place = shard.reserve().await;
            // Taken out with the place in hand: whoever comes after that begins anew.
            let waiting = lock(&resyncs.0).remove(&shard.index());
            if let Some((gaps, cause)) = waiting {
                shard.submit_reserved(place, Command::Resync(gaps, cause));
            }
        });
    }
}

/// To what waits already. Where it was is not kept: nothing may grow with it.
fn join((gaps, before): &mut (Affected, LossReason), cause: LossReason) {
    *gaps = Affected::All;
    *before = cause.max(*before);
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops where it fails")]
mod tests {
    use std::time::Duration;

    use tokio::runtime::Handle;

    use super::*;
    use crate::registry::{OutboxLimits, ShardSettings};

    #[tokio::test]
    async fn a_worker_that_is_stuck_costs_one_task_however_often_it_is_to_be_told() {
        let outbox = OutboxLimits { max_bytes: 1 << 20, write_timeout: Duration::from_secs(10) };
        let settings = ShardSettings { outbox, heartbeat: None };
        let shard = Shard::new(0, Some(Handle::current()), false, settings);
        let (resyncs, group) = (PendingResyncs::default(), GroupName::new("g").unwrap());
        let before = Handle::current().metrics().num_alive_tasks();
        for _ in 0..10_000 {
            resyncs.tell(&shard, Affected::Groups(vec![group.clone()]), LossReason::Backend);
        }
        resyncs.tell(&shard, Affected::Groups(vec![group.clone()]), LossReason::Peer);
        assert_eq!(Handle::current().metrics().num_alive_tasks() - before, 1);
        assert_eq!(lock(&resyncs.0).get(&0), Some(&(Affected::All, LossReason::Backend)));
        let running = tokio::spawn(shard.clone().run());
        while !lock(&resyncs.0).is_empty() {
            tokio::task::yield_now().await;
        }
        running.abort();
    }
}
