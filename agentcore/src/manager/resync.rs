//! Telling connections that something may be missing.

use super::Inner;
use crate::backend::ResyncReason;
use crate::id::GroupName;
use crate::registry::{Cause, Command, Gaps};

impl Inner {
    /// Tells the connections in `groups`, or all, that something may be missing.
    pub(super) fn resync(&self, groups: Option<&[GroupName]>, reason: ResyncReason) {
        let cause = match reason {
            ResyncReason::Backend => Cause::Backend,
            ResyncReason::Peer => Cause::Peer,
        };
        for shard in self.registry.shards() {
            let gaps = groups.map_or(Gaps::All, |groups| Gaps::These(groups.to_vec()));
            if let Err(command) = shard.submit(Command::Resync(gaps, cause))
                && let Some(runtime) = shard.runtime()
            {
                let shard = shard.clone();
                runtime.spawn(async move { shard.wait(command).await });
            }
        }
    }
}
