//! The places that connections of this node have: what it has told Redis, or will when it is back.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::backend::{Admission, AdmissionLimits, Refused};
use crate::id::UserId;

/// The places of one node.
#[derive(Debug, Default)]
pub(super) struct Places {
    total: usize,
    users: HashMap<UserId, Share>,
    ips: HashMap<IpAddr, usize>,
    /// What this node may still give while it cannot ask, of what was free when it last could.
    free: usize,
    live: usize,
}

/// The places of a user.
#[derive(Debug, Clone, Copy, Default)]
struct Share {
    here: usize,
    /// On the other nodes, when this one last asked.
    elsewhere: usize,
}

impl Places {
    /// Notes an admission that Redis has granted; the user has `all` places now.
    ///
    /// It comes off what this node may give while it cannot ask: the last renewal did not know of it.
    pub(super) fn granted(&mut self, admission: &Admission, all: usize) {
        self.free = self.free.saturating_sub(1);
        let share = self.add(admission);
        share.elsewhere = all.saturating_sub(share.here);
    }

    /// Decides without Redis: by this node's share of what was free, and of the user's limit. So all nodes together give
    /// no more than was free, and a user that this node has not seen gets no more than a share on each.
    pub(super) fn decide(&mut self, limits: &AdmissionLimits, admission: &Admission) -> Result<(), Refused> {
        let share = |limit: usize| (limit / self.live.max(1)).max(1);
        let of_user = self.users.get(&admission.user).copied().unwrap_or_default();
        if self.free == 0 {
            return Err(Refused::Total);
        }
        if of_user.here + of_user.elsewhere >= limits.per_user || of_user.here >= share(limits.per_user) {
            return Err(Refused::User);
        }
        if admission.ip.is_some_and(|ip| self.ips.get(&ip).copied().unwrap_or(0) >= share(limits.per_ip)) {
            return Err(Refused::Ip);
        }
        self.free -= 1;
        self.add(admission);
        Ok(())
    }

    fn add(&mut self, admission: &Admission) -> &mut Share {
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

    /// A place was given back that nobody else knows of while Redis is away: this node may give it again.
    pub(super) fn freed(&mut self) {
        self.free += 1;
    }

    /// Notes what is taken on all nodes together, and how many there are.
    pub(super) fn refresh(&mut self, limits: &AdmissionLimits, taken: usize, live: usize) {
        self.live = live;
        self.free = limits.total.saturating_sub(taken) / live.max(1);
    }

    /// Notes what is taken at least, while not all nodes have told Redis again: no more than the rest is shared.
    pub(super) fn lessen(&mut self, limits: &AdmissionLimits, taken: usize, live: usize) {
        if self.is_known() {
            self.live = self.live.max(live);
            self.free = self.free.min(limits.total.saturating_sub(taken) / live.max(1));
        }
    }

    pub(super) fn total(&self) -> usize {
        self.total
    }

    /// Whether this node has ever seen what is free.
    pub(super) fn is_known(&self) -> bool {
        self.live > 0
    }

    pub(super) fn users(&self) -> impl Iterator<Item = (&UserId, usize)> {
        self.users.iter().map(|(user, share)| (user, share.here))
    }

    pub(super) fn ips(&self) -> impl Iterator<Item = (IpAddr, usize)> {
        self.ips.iter().map(|(ip, count)| (*ip, *count))
    }
}
