//! The connections that this node has admitted, and decisions while Redis does not answer.
//!
//! While it answers, [`writer`](super::writer) asks it, and `scripts/write.lua` checks the limits over all nodes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::super::driver::ClusterView;
use crate::backend::{Admission, AdmissionLimits, AdmissionTable, Refused};
use crate::error::{Error, Severity};
use crate::id::UserId;

/// Returns the error of a node that cannot admit connections because it has never had certain counts.
pub(in super::super) fn counts_unknown() -> Error {
    // Logged by the writer, not once for each request.
    Error::backend("Redis has lost the connection counts and is collecting them again")
        .with_severity(Severity::Medium)
        .with_retry_after(Duration::from_secs(1))
}

/// The admissions of this node, including those that Redis does not know yet.
#[derive(Debug, Default)]
pub(super) struct LocalAdmission {
    admitted: AdmissionTable,
    /// Connections that users of this node have on other nodes, as of their latest admission.
    elsewhere: HashMap<UserId, usize>,
    /// Connections that this node may have while it decides alone: those that Redis counted at the last renewal, and a
    /// share of those that were free then. All nodes together stay within the limit, however long Redis accepts no
    /// writes.
    cap: usize,
    live_nodes: usize,
    /// The epoch in which this node last got certain counts.
    certain_in: Option<u64>,
}

impl LocalAdmission {
    /// Adds an admission that Redis has granted. The user has `all` connections now.
    ///
    /// The cap stays the same: the last renewal did not count this connection, so it uses up the share of this node.
    pub(super) fn granted(&mut self, admission: &Admission, all: usize) {
        self.admitted.force_admit(admission);
        let elsewhere = all.saturating_sub(self.admitted.of_user(&admission.user));
        self.elsewhere.insert(admission.user.clone(), elsewhere);
    }

    /// Decides without Redis: within this node's share of the free connections and of the limits of the user and the
    /// address.
    ///
    /// # Errors
    /// The limit that is reached.
    pub(super) fn decide(&mut self, limits: &AdmissionLimits, admission: &Admission) -> Result<(), Refused> {
        let share = |limit: usize| (limit / self.live_nodes.max(1)).max(1);
        let elsewhere = self.elsewhere.get(&admission.user).copied().unwrap_or(0);
        let local_limits = AdmissionLimits {
            total: self.cap,
            per_user: share(limits.per_user).min(limits.per_user.saturating_sub(elsewhere)),
            per_ip: share(limits.per_ip),
            groups: limits.groups,
        };
        self.admitted.admit(&local_limits, admission)
    }

    /// Releases an admission.
    pub(super) fn release(&mut self, admission: &Admission) {
        self.admitted.release(admission);
        if self.admitted.of_user(&admission.user) == 0 {
            self.elsewhere.remove(&admission.user);
        }
    }

    /// Notes that Redis has recorded `count` releases, so other nodes may reuse these connections.
    pub(super) fn releases_recorded(&mut self, count: usize) {
        self.cap = self.cap.saturating_sub(count);
    }

    /// Updates the cap from a view with certain counts.
    pub(super) fn update_cap(&mut self, limits: &AdmissionLimits, view: &ClusterView, incarnation: u64) {
        (self.live_nodes, self.cap) = Self::share_of(limits, view, incarnation);
        self.certain_in = Some(view.epoch);
    }

    /// Lowers the cap from a view with uncertain counts: some nodes have not written their state again, so the counts
    /// are too low. Earlier counts of the same epoch become uncertain too.
    pub(super) fn lower_cap(&mut self, limits: &AdmissionLimits, view: &ClusterView, incarnation: u64) {
        self.mark_uncertain(view.epoch);
        let (live_nodes, cap) = Self::share_of(limits, view, incarnation);
        (self.live_nodes, self.cap) = (self.live_nodes.max(live_nodes), self.cap.min(cap));
    }

    /// Notes that the counts of an epoch are uncertain.
    pub(super) fn mark_uncertain(&mut self, epoch: u64) {
        self.certain_in = self.certain_in.filter(|certain_in| *certain_in != epoch);
    }

    /// Returns whether this node has ever had certain counts to decide by.
    pub(super) fn is_certain(&self) -> bool {
        self.certain_in.is_some()
    }

    pub(super) fn total(&self) -> usize {
        self.admitted.connections()
    }

    pub(super) fn users(&self) -> impl Iterator<Item = (&UserId, usize)> {
        self.admitted.users()
    }

    pub(super) fn ips(&self) -> impl Iterator<Item = (IpAddr, usize)> {
        self.admitted.ips()
    }

    /// Returns the number of live nodes, and the connections that this node may have by a view.
    fn share_of(limits: &AdmissionLimits, view: &ClusterView, incarnation: u64) -> (usize, usize) {
        let live_nodes = view.live.len().max(1);
        let own = view.live.iter().filter(|peer| peer.incarnation == incarnation);
        let here = own.fold(0_usize, |sum, peer| sum.saturating_add(peer.connections));
        (live_nodes, here.saturating_add(limits.total.saturating_sub(view.connections()) / live_nodes))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::driver::Peer;
    use super::*;
    use crate::id::NodeId;

    #[test]
    fn absurd_counts_in_redis_leave_no_free_connections() {
        let connections = usize::MAX / 2 + 1;
        let expiry = Duration::ZERO;
        let peer = |lease| Peer { lease, node: NodeId::generate(), incarnation: lease, connections, expiry };
        let (live, expired) = (vec![peer(1), peer(2)], Vec::new());
        let view = ClusterView { epoch: 1, live, expired, groups: 0, uncertain_for: None, next_leave: None };
        assert_eq!(view.connections(), usize::MAX);
        let limits = AdmissionLimits { total: 10, per_user: 10, per_ip: 10, groups: 10 };
        assert_eq!(LocalAdmission::share_of(&limits, &view, 1), (2, connections));
    }
}
