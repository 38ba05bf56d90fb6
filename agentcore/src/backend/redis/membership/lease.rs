//! The lease: taken, renewed, given back.

use tokio::time::Instant;

use super::super::driver::{Change, ClusterView, JoinRequest, WriteLease, is_refused};
use super::pending::MOST;
use super::writer::RegistryWriter;
use crate::backend::ResyncReason;

impl RegistryWriter {
    /// Renews the lease, or takes one and writes all that this node has. False when Redis does not say so.
    pub(super) async fn renew(&mut self) -> bool {
        let Some(commands) = self.link.get() else { return false };
        // Also after a failure: the next try is not sooner.
        self.state.renew_at = Some(Instant::now() + self.lease_time / 3);
        if let Some(writer) = self.state.writer {
            match commands.renew(writer).await {
                Ok(Some(view)) if self.state.stale => self.see(&view),
                Ok(Some(view)) => {
                    self.see(&view);
                    return true;
                }
                Ok(None) => {
                    tracing::warn!(
                        "the lease of this node has ended, or Redis has lost it: it writes all it has again"
                    );
                    self.state.lose_lease();
                    self.state.retire();
                }
                Err(error) => return self.failed(&error),
            }
        }
        match self.join().await {
            Ok(joined) => joined,
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&mut self, error: &crate::error::Error) -> bool {
        tracing::warn!("the registry in Redis is not up to date: {error:?}");
        self.link.suspect();
        let soon = Instant::now() + (self.lease_time / 10).min(std::time::Duration::from_secs(1));
        self.state.renew_at = Some(soon);
        false
    }

    /// Takes a lease and writes everything under it.
    pub(in super::super) async fn join(&mut self) -> crate::error::Result<bool> {
        let Some(commands) = self.link.get() else { return Ok(false) };
        let lease = uuid::Uuid::new_v4().as_u64_pair().0;
        self.state.joins += 1;
        let joining = JoinRequest {
            lease,
            node: self.node.clone(),
            origin: self.origin,
            places: self.state.places.total(),
            groups: self.groups.granted(),
            number: self.state.joins,
            before: self.state.epoch,
        };
        let before = joining.before;
        // Unless it is refused, this lease is ours to remove, whatever comes of it.
        self.state.old_leases.push(lease);
        let joined = commands.join(joining).await;
        if joined.as_ref().is_err_and(is_refused) {
            self.state.old_leases.pop();
        }
        let view = joined?;
        let lost = before.is_some_and(|before| before != view.epoch);
        let writer = WriteLease { lease, epoch: view.epoch, limits: self.limits };
        let changes = self.everything(lost);
        for changes in changes.chunks(MOST) {
            if commands.write(writer, changes.into()).await?.is_none() {
                return Ok(false);
            }
        }
        self.state.old_leases.retain(|old| *old != lease);
        self.state.retire();
        self.state.writer = Some(writer);
        self.state.stale = false;
        self.state.epoch = Some(view.epoch);
        for old in std::mem::take(&mut self.state.old_leases) {
            if let Err(error) = commands.remove(old, true).await {
                self.state.old_leases.push(old);
                tracing::debug!("an old lease is left to end by itself: {error:?}");
            }
        }
        self.see(&view);
        if lost {
            // Who was in a grace is not announced any more, nor who left while nobody noted it.
            self.deliver.resync(None, ResyncReason::Backend);
        }
        Ok(true)
    }

    /// All that this node has, for a new lease.
    fn everything(&mut self, lost: bool) -> Vec<Change> {
        let state = &mut self.state;
        // All of them are in what follows.
        state.owed.clear();
        state.behind = None;
        let mut changes: Vec<_> =
            state.places.users().map(|(user, count)| Change::Places(user.clone(), count)).collect();
        changes.extend(state.places.ips().map(|(ip, count)| Change::PlacesOf(ip, count)));
        state.counts.extend(state.told.drain());
        while !state.counts.is_empty() {
            state.take_counts(&mut changes, &*self.deliver);
        }
        state.presences.forget_written();
        changes.extend(state.presences.take_entered(usize::MAX, lost));
        changes
    }

    /// Takes note of the cluster.
    fn see(&mut self, view: &ClusterView) {
        let live = view.live.len().max(1);
        // Until all nodes have written again, what was free before the loss is what they share.
        let certain = view.unsure.is_none();
        match certain {
            true => self.state.places.refresh(&self.limits, view, self.origin),
            false => self.state.places.lessen(&self.limits, view, self.origin),
        }
        let free = self.limits.groups.saturating_sub(view.groups);
        // Far from the limit a node takes many places at once; near it, one by one.
        self.state.fewer_groups |= self.groups.set_block((free / (4 * live)).min(4_096));
        if let Some(next) = view.next_left {
            let due = Instant::now() + next;
            self.state.left_at = Some(self.state.left_at.map_or(due, |at| at.min(due)));
        }
        self.peers.see(view, self.origin, certain);
        for ended in &view.ended {
            let (Some(commands), lease) = (self.link.get(), ended.lease) else { return };
            // An earlier lease of one that lives is none.
            if !view.live.iter().any(|peer| peer.origin == ended.origin) {
                tracing::info!(node = %ended.node, "a node has vanished; what it left is removed");
            }
            tokio::spawn(async move {
                if let Err(error) = commands.remove(lease, false).await {
                    tracing::debug!("what a node left is removed later: {error:?}");
                }
            });
        }
    }

    /// Announces those who have not come back.
    pub(super) async fn announce_left(&mut self) {
        self.state.left_at = None;
        let Some(commands) = self.link.get() else { return };
        match commands.announce_left().await {
            Ok(next) => self.state.left_at = next.map(|next| Instant::now() + next),
            Err(error) => {
                tracing::debug!("who has left is announced later: {error:?}");
                self.state.left_at = Some(Instant::now() + std::time::Duration::from_secs(1));
            }
        }
    }
}
