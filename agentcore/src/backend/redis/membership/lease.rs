//! The lease of the node: taken and renewed, and the views of the cluster that come with it.

use std::time::Duration;

use tokio::time::Instant;

use super::super::driver::{Change, ClusterView, JoinRequest, WriteLease, is_refused};
use super::pending::MAX_BATCH;
use super::writer::RegistryWriter;
use crate::backend::ResyncReason;
use crate::error::{Error, Result};

/// Limit of group permits that are requested at once.
const MAX_GROUP_BLOCK: usize = 4_096;
/// Time after the end of an uncertainty at which the counts are read; the clock of Redis has milliseconds.
const CERTAINTY_MARGIN: Duration = Duration::from_millis(10);
/// Delay after a failure to publish leave messages; upper bound of the delay after a failed renewal.
const RETRY: Duration = Duration::from_secs(1);

impl RegistryWriter {
    /// Renews the lease, or takes one and writes the whole state of this node. Returns whether Redis has confirmed it.
    pub(super) async fn renew(&mut self) -> bool {
        let Some(commands) = self.link.get() else { return false };
        self.pending.renew_at = Some(Instant::now() + self.lease_time / 3);
        if let Some(lease) = self.pending.lease {
            match commands.renew(lease).await {
                Ok(Some(view)) => {
                    self.apply_view(&view);
                    if !self.pending.is_lease_stale {
                        return true;
                    }
                }
                Ok(None) => {
                    tracing::warn!(
                        "the lease of this node has ended, or Redis has lost it; the node writes its state again"
                    );
                    self.pending.mark_lease_stale();
                    self.pending.retire_lease();
                }
                Err(error) => return self.note_failure(&error),
            }
        }
        match self.join().await {
            Ok(is_joined) => is_joined,
            Err(error) => self.note_failure(&error),
        }
    }

    fn note_failure(&mut self, error: &Error) -> bool {
        tracing::warn!("the registry in Redis is not up to date: {error:?}");
        self.link.suspect();
        self.pending.renew_at = Some(Instant::now() + (self.lease_time / 10).min(RETRY));
        false
    }

    /// Takes a lease and writes the whole state of this node under it. Returns false when there is no connection or the
    /// new lease was fenced.
    ///
    /// # Errors
    /// When a call fails.
    pub(in super::super) async fn join(&mut self) -> Result<bool> {
        let Some(commands) = self.link.get() else { return Ok(false) };
        let lease = uuid::Uuid::new_v4().as_u64_pair().0;
        self.pending.joins += 1;
        let previous_epoch = self.pending.epoch;
        let request = JoinRequest {
            lease,
            node: self.node.clone(),
            incarnation: self.incarnation,
            connections: self.pending.admission.total(),
            groups: self.quota.granted(),
            attempt: self.pending.joins,
            previous_epoch,
        };
        // Unless Redis refuses the join, the lease may exist and must be removed, whatever fails later.
        self.pending.old_leases.push(lease);
        let joined = commands.join(request).await;
        if joined.as_ref().is_err_and(is_refused) {
            self.pending.old_leases.pop();
        }
        let view = joined?;
        let epoch_lost = previous_epoch.is_some_and(|previous| previous != view.epoch);
        let write_lease = WriteLease { lease, epoch: view.epoch, limits: self.limits };
        let changes = self.whole_state(epoch_lost);
        for chunk in changes.chunks(MAX_BATCH) {
            if commands.write(write_lease, chunk.into()).await?.is_none() {
                return Ok(false);
            }
        }
        self.pending.old_leases.retain(|old| *old != lease);
        self.pending.retire_lease();
        self.pending.lease = Some(write_lease);
        self.pending.is_lease_stale = false;
        self.pending.epoch = Some(view.epoch);
        for old in std::mem::take(&mut self.pending.old_leases) {
            if let Err(error) = commands.remove(old, true).await {
                self.pending.old_leases.push(old);
                tracing::debug!("an old lease of this node was not removed: {error:?}");
            }
        }
        self.apply_view(&view);
        if epoch_lost {
            // Leave messages may be missing: of users in their grace period, and of users who left since the loss.
            self.deliver.resync(None, ResyncReason::Backend);
        }
        Ok(true)
    }

    /// Returns the whole state of this node as changes, and counts it as written.
    fn whole_state(&mut self, epoch_lost: bool) -> Vec<Change> {
        let pending = &mut self.pending;
        // The state includes these changes.
        pending.unsynced.clear();
        pending.restricted_until = None;
        let users = pending.admission.users();
        let mut changes: Vec<_> = users.map(|(user, count)| Change::UserConnections(user.clone(), count)).collect();
        changes.extend(pending.admission.ips().map(|(ip, count)| Change::IpConnections(ip, count)));
        pending.changed_groups.extend(pending.counted_groups.drain());
        while !pending.changed_groups.is_empty() {
            pending.take_counts(&mut changes, &*self.deliver);
        }
        pending.presence.reset_written();
        changes.extend(pending.presence.take_entered(usize::MAX, epoch_lost));
        changes
    }

    fn apply_view(&mut self, view: &ClusterView) {
        let is_certain = view.uncertain_for.is_none();
        // The counts are read as soon as they are certain, because a new node admits nobody before.
        if let Some(left) = view.uncertain_for {
            let due = Instant::now() + left + CERTAINTY_MARGIN;
            self.pending.renew_at = Some(self.pending.renew_at.map_or(due, |at| at.min(due)));
        }
        self.namesakes.update(&self.node, self.incarnation, view);
        let admission = &mut self.pending.admission;
        match is_certain {
            true => admission.update_cap(&self.limits, view, self.incarnation),
            false => admission.lower_cap(&self.limits, view, self.incarnation),
        }
        self.update_admits();
        let free_groups = self.limits.groups.saturating_sub(view.groups);
        // Takes large blocks of permits while many are free, and single ones near the limit.
        let block = (free_groups / (4 * view.live.len().max(1))).min(MAX_GROUP_BLOCK);
        self.pending.shrink_group_quota |= self.quota.set_block(block);
        if let Some(next) = view.next_leave {
            let due = Instant::now() + next;
            self.pending.announce_left_at = Some(self.pending.announce_left_at.map_or(due, |at| at.min(due)));
        }
        self.peers.update(view, self.incarnation, is_certain);
        for expired in &view.expired {
            let (Some(commands), lease) = (self.link.get(), expired.lease) else { return };
            // Logs nodes only, not an earlier lease of a live node.
            if !view.live.iter().any(|peer| peer.incarnation == expired.incarnation) {
                tracing::info!(node = %expired.node, "a node has vanished; its registry entries are removed");
            }
            tokio::spawn(async move {
                if let Err(error) = commands.remove(lease, false).await {
                    tracing::debug!("an expired lease was not removed: {error:?}");
                }
            });
        }
    }

    /// Publishes the leave messages that are due.
    pub(super) async fn announce_left(&mut self) {
        self.pending.announce_left_at = None;
        let Some(commands) = self.link.get() else { return };
        match commands.announce_left().await {
            Ok(next) => self.pending.announce_left_at = next.map(|next| Instant::now() + next),
            Err(error) => {
                tracing::debug!("leave messages were not published: {error:?}");
                self.pending.announce_left_at = Some(Instant::now() + RETRY);
            }
        }
    }
}
