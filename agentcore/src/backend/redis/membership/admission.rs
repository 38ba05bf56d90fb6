//! The places that connections of this node have: what it has told Redis, or will when it is back.

use std::collections::HashMap;
use std::net::IpAddr;

use super::super::driver::ClusterView;
use crate::backend::{Admission, AdmissionLimits, Refused};
use crate::id::UserId;

/// The places of one node.
#[derive(Debug, Default)]
pub(super) struct LocalAdmission {
    total: usize,
    users: HashMap<UserId, UserConnections>,
    ips: HashMap<IpAddr, usize>,
    /// So many may this node have while it cannot ask: those that Redis counted when the lease was last renewed, and a
    /// share of what was free then. So all nodes together have no more than there are, however long Redis takes nothing in.
    cap: usize,
    live: usize,
    /// In which epoch it last saw all that is taken, if it ever did.
    known_in: Option<u64>,
}

/// The places of a user.
#[derive(Debug, Clone, Copy, Default)]
struct UserConnections {
    here: usize,
    /// On the other nodes, when this one last asked.
    elsewhere: usize,
}

impl LocalAdmission {
    /// Notes an admission that Redis has granted; the user has `all` places now.
    ///
    /// It comes off what this node may give while it cannot ask: the last renewal did not know of it.
    pub(super) fn granted(&mut self, admission: &Admission, all: usize) {
        let share = self.add(admission);
        share.elsewhere = all.saturating_sub(share.here);
    }

    /// Decides without Redis: by this node's share of what was free, and of the user's limit. So all nodes together give
    /// no more than was free, and a user that this node has not seen gets no more than a share on each.
    pub(super) fn decide(&mut self, limits: &AdmissionLimits, admission: &Admission) -> Result<(), Refused> {
        let share = |limit: usize| (limit / self.live.max(1)).max(1);
        let of_user = self.users.get(&admission.user).copied().unwrap_or_default();
        if self.total >= self.cap {
            return Err(Refused::Total);
        }
        if of_user.here + of_user.elsewhere >= limits.per_user || of_user.here >= share(limits.per_user) {
            return Err(Refused::User);
        }
        if admission.ip.is_some_and(|ip| self.ips.get(&ip).copied().unwrap_or(0) >= share(limits.per_ip)) {
            return Err(Refused::Ip);
        }
        self.add(admission);
        Ok(())
    }

    fn add(&mut self, admission: &Admission) -> &mut UserConnections {
        self.total += 1;
        if let Some(ip) = admission.ip {
            *self.ips.entry(ip).or_default() += 1;
        }
        let share = self.users.entry(admission.user.clone()).or_default();
        share.here += 1;
        share
    }

    /// Takes a place back.
    pub(super) fn release(&mut self, admission: &Admission) {
        self.total = self.total.saturating_sub(1);
        if let Some(share) = self.users.get_mut(&admission.user) {
            share.here = share.here.saturating_sub(1);
            if share.here == 0 {
                self.users.remove(&admission.user);
            }
        }
        if let Some(ip) = admission.ip
            && let Some(count) = self.ips.get_mut(&ip)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.ips.remove(&ip);
            }
        }
    }

    /// So many places that were given back are known to Redis: others may have them.
    pub(super) fn given_back(&mut self, count: usize) {
        self.cap = self.cap.saturating_sub(count);
    }

    /// Notes what Redis counts.
    pub(super) fn refresh(&mut self, limits: &AdmissionLimits, view: &ClusterView, origin: u64) {
        (self.live, self.cap) = Self::share(limits, view, origin);
        self.known_in = Some(view.epoch);
    }

    /// Notes what Redis counts at least, while not all of them have told Redis again: no more than the rest is
    /// shared. What was seen in this epoch before it was known to be unsure counts for nothing.
    pub(super) fn lessen(&mut self, limits: &AdmissionLimits, view: &ClusterView, origin: u64) {
        self.doubt(view.epoch);
        let (live, cap) = Self::share(limits, view, origin);
        (self.live, self.cap) = (self.live.max(live), self.cap.min(cap));
    }

    /// What this node has seen in an epoch was not all.
    pub(super) fn doubt(&mut self, epoch: u64) {
        self.known_in = self.known_in.filter(|known| *known != epoch);
    }

    fn share(limits: &AdmissionLimits, view: &ClusterView, origin: u64) -> (usize, usize) {
        let (live, all) = (view.live.len().max(1), view.live.iter().map(|peer| peer.places).sum());
        let here: usize = view.live.iter().filter(|peer| peer.origin == origin).map(|peer| peer.places).sum();
        (live, here + limits.total.saturating_sub(all) / live)
    }

    pub(super) fn total(&self) -> usize {
        self.total
    }

    /// Whether this node has ever seen what is free.
    pub(super) fn is_known(&self) -> bool {
        self.known_in.is_some()
    }

    pub(super) fn users(&self) -> impl Iterator<Item = (&UserId, usize)> {
        self.users.iter().map(|(user, share)| (user, share.here))
    }

    pub(super) fn ips(&self) -> impl Iterator<Item = (IpAddr, usize)> {
        self.ips.iter().map(|(ip, count)| (*ip, *count))
    }
}
