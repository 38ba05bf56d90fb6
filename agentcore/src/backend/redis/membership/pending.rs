//! What the writer knows and what waits, and the calls it makes of that. It does nothing by itself.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::super::driver::{Change, EnterPresence, WriteLease};
use super::admission::LocalAdmission;
use super::group_quota::GroupQuota;
use super::presence::PresenceState;
use super::request::{AdmissionReply, RegistryRequest};
use super::unsynced::UnsyncedAdmissions;
use crate::backend::{Admission, Deliver, Refused};
use crate::id::GroupName;

/// So many asks are taken together, and so many changes go out.
pub(super) const MOST: usize = 16_384;
/// So long after the first one, changed counts of groups are written.
pub(super) const COUNTS_AFTER: Duration = Duration::from_millis(200);

/// What it knows.
#[derive(Debug, Default)]
pub(in super::super) struct PendingWrites {
    pub(super) running: bool,
    pub(super) writer: Option<WriteLease>,
    /// Leases of this node that Redis may still have.
    pub(super) old_leases: Vec<u64>,
    pub(super) epoch: Option<u64>,
    pub(super) places: LocalAdmission,
    pub(super) presences: PresenceState,
    /// Groups with members on this node, as far as Redis was told.
    pub(super) told: HashSet<GroupName>,
    pub(super) counts: HashSet<GroupName>,
    pub(super) counts_at: Option<Instant>,
    pub(super) fewer_groups: bool,
    /// What has been asked, and not been looked at.
    pub(super) asks: VecDeque<RegistryRequest>,
    /// How often it has joined.
    pub(super) joins: u64,
    pub(super) renew_at: Option<Instant>,
    /// Redis may have something else under the lease than this node has. It is renewed, so that nobody takes the node for
    /// dead, and not written to any more: the next one is.
    pub(super) stale: bool,
    /// Redis has refused what needs memory. Until then it gets only what takes something out, and places wait: one that
    /// it knew to be free could be given twice, here and by it.
    pub(super) behind: Option<Instant>,
    pub(super) left_at: Option<Instant>,
    /// Admissions that wait for the next call.
    pub(super) admits: Vec<(Admission, AdmissionReply)>,
    /// LocalAdmission that were given or given back, which Redis does not know of.
    pub(super) owed: UnsyncedAdmissions,
    pub(super) group_asks: Vec<AdmissionReply>,
    /// Who waits for presences to be written.
    pub(super) written: Vec<oneshot::Sender<()>>,
}

/// One call, and who waits for it.
#[derive(Debug, Default)]
pub(super) struct WriteBatch {
    pub(super) changes: Vec<Change>,
    /// So many of them give a place back.
    pub(super) releases: usize,
    /// So many changes come before those that have an answer.
    pub(super) before: usize,
    pub(super) admits: Vec<(Admission, AdmissionReply)>,
    pub(super) group_asks: Vec<AdmissionReply>,
    pub(super) written: Vec<oneshot::Sender<()>>,
    pub(super) exits: bool,
}

impl PendingWrites {
    pub(super) fn next_due(&self) -> Instant {
        // Without a lease nothing is written: what waits goes out with the next one.
        let counts_at = self.counts_at.filter(|_| self.current().is_some());
        let times = [self.renew_at, self.left_at, counts_at, self.behind];
        times.into_iter().flatten().min().unwrap_or_else(|| Instant::now() + COUNTS_AFTER)
    }

    pub(super) fn has_work(&self, now: Instant) -> bool {
        if self.is_behind(now) {
            return self.presences.is_leaving() || self.counts_at.is_some_and(|due| due <= now);
        }
        !self.admits.is_empty()
            || !self.owed.is_empty()
            || !self.group_asks.is_empty()
            || !self.written.is_empty()
            || self.presences.is_changed()
            || self.fewer_groups
            || self.counts_at.is_some_and(|due| due <= now)
            || self.counts.len() >= MOST
    }

    /// Whether only what takes something out is written.
    pub(super) fn is_behind(&self, now: Instant) -> bool {
        self.behind.is_some_and(|until| until > now)
    }

    /// Makes a call of what takes something out.
    pub(super) fn take_out(&mut self, deliver: &dyn Deliver) -> WriteBatch {
        let mut call = WriteBatch::default();
        let (counts, told) = (&mut self.counts, &mut self.told);
        counts.retain(|group| {
            let is_empty = deliver.group_count(group) == 0;
            if is_empty && told.remove(group) {
                call.changes.push(Change::Members(group.clone(), 0));
            }
            !is_empty
        });
        self.counts_at = self.behind.filter(|_| !self.counts.is_empty());
        self.take_left(&mut call);
        call.before = call.changes.len();
        call
    }

    fn take_left(&mut self, call: &mut WriteBatch) {
        let left = self.presences.take_left(MOST);
        call.exits = left.iter().any(|change| matches!(change, Change::Exit { lost: true, .. }));
        call.changes.extend(left);
    }

    /// Makes a call of what waits.
    pub(super) fn take_call(&mut self, groups: &GroupQuota, deliver: &dyn Deliver) -> WriteBatch {
        let mut call = WriteBatch::default();
        call.releases = self.owed.take_changes(&mut call.changes);
        if self.counts_at.is_some_and(|due| due <= Instant::now()) || self.counts.len() >= MOST {
            self.take_counts(&mut call.changes, deliver);
        }
        self.take_left(&mut call);
        call.changes.extend(self.presences.take_entered(MOST, false));
        if !self.presences.is_changed() {
            call.written = std::mem::take(&mut self.written);
        }
        call.before = call.changes.len();
        let rest = self.admits.split_off(MOST.min(self.admits.len()));
        call.admits = std::mem::replace(&mut self.admits, rest);
        let admits = call.admits.iter().map(|(Admission { user, ip, .. }, _)| Change::Admit(user.clone(), *ip));
        call.changes.extend(admits);
        call.group_asks = std::mem::take(&mut self.group_asks);
        if self.fewer_groups || !call.group_asks.is_empty() {
            self.fewer_groups = false;
            let needed = groups.freeze();
            let wanted = needed + call.group_asks.len().max(groups.block());
            call.changes.push(Change::Groups { wanted, needed });
        }
        call
    }

    /// The counts of groups that may have changed, as they are now.
    pub(super) fn take_counts(&mut self, changes: &mut Vec<Change>, deliver: &dyn Deliver) {
        let now: Vec<_> = self.counts.iter().take(MOST).cloned().collect();
        for group in now {
            self.counts.remove(&group);
            let count = deliver.group_count(&group);
            let known = if count == 0 { self.told.remove(&group) } else { !self.told.insert(group.clone()) };
            if known || count > 0 {
                changes.push(Change::Members(group, count));
            }
        }
        self.counts_at = (!self.counts.is_empty()).then(Instant::now);
    }

    /// What was not written waits again. Counts and presences are written anew with the next lease.
    pub(super) fn put_back(&mut self, call: WriteBatch) {
        self.admits.splice(0..0, call.admits);
        self.group_asks.splice(0..0, call.group_asks);
        self.written.splice(0..0, call.written);
    }

    /// Redis has refused these changes, so they wait again, for `until`.
    pub(super) fn refused(&mut self, changes: &[Change], until: Instant) {
        self.behind = Some(until);
        for change in changes {
            match change {
                Change::Take(user, ip) => self.owed.take(user.clone(), *ip),
                Change::Release(user, ip) => self.owed.release(user.clone(), *ip),
                Change::Members(group, count) => {
                    if *count == 0 {
                        self.told.insert(group.clone());
                    }
                    self.counts.insert(group.clone());
                    self.counts_at = Some(until);
                }
                Change::Groups { .. } => self.fewer_groups = true,
                Change::Enter(EnterPresence { group, user, .. }) => self.presences.not_entered(group, user),
                Change::Exit { group, user, lost } => self.presences.not_left(group, user, *lost),
                // Who asked decides alone; the others are written with a lease only.
                Change::Admit(..) | Change::Places(..) | Change::PlacesOf(..) => {}
            }
        }
    }

    /// A connection gives its place back.
    pub(super) fn give_back(&mut self, admission: Admission) {
        self.places.release(&admission);
        self.owed.release(admission.user, admission.ip);
    }

    /// Tells whoever asked; one who has gone meanwhile needs no place.
    pub(super) fn answer(&mut self, admission: Admission, answer: AdmissionReply, decided: Result<(), Refused>) {
        if let Err(Ok(())) = answer.send(decided) {
            self.give_back(admission);
        }
    }

    /// Under which lease to write, if this node has one that is good for it.
    pub(super) fn current(&self) -> Option<WriteLease> {
        self.writer.filter(|_| !self.stale)
    }

    /// Redis may have something else under the lease than this node has: it takes another, and writes all, changes too.
    pub(super) fn lose_lease(&mut self) {
        self.owed.clear();
        self.behind = None;
        if !std::mem::replace(&mut self.stale, true) {
            self.renew_at = Some(Instant::now());
        }
    }

    /// The lease is none any more, or another is there: what is under it is to be removed.
    pub(super) fn retire(&mut self) {
        self.old_leases.extend(self.writer.take().map(|writer| writer.lease));
    }
}
