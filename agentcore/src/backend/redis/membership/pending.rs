//! The state of the registry writer: its leases, the changes that wait, and the calls made of them. It does no I/O.

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

/// Limit of requests that are taken at once, and of changes of a kind in one call.
pub(super) const MAX_BATCH: usize = 16_384;
/// Delay between the first change of a group count and its write.
pub(super) const COUNTS_DELAY: Duration = Duration::from_millis(200);

/// The state of the writer.
#[derive(Debug, Default)]
pub(in super::super) struct PendingWrites {
    /// Whether the task has run before: it was then restarted after a panic.
    pub(super) has_run: bool,
    /// Requests that were received and not handled yet.
    pub(super) requests: VecDeque<RegistryRequest>,

    pub(super) lease: Option<WriteLease>,
    /// Leases of this node that Redis may still have.
    pub(super) old_leases: Vec<u64>,
    /// The entries under the lease may differ from the state of this node. The lease is renewed, so that the node does
    /// not count as dead, but nothing is written under it until another one replaces it.
    pub(super) is_lease_stale: bool,
    pub(super) epoch: Option<u64>,
    /// Number of joins so far.
    pub(super) joins: u64,
    pub(super) renew_at: Option<Instant>,
    /// Redis has refused a call, for example because its memory is full. Until then only removals are written, and
    /// releases wait: if Redis knew of a free connection, both it and this node could admit another one for it.
    pub(super) restricted_until: Option<Instant>,

    pub(super) admission: LocalAdmission,
    /// Admissions that wait for the next call.
    pub(super) admissions: Vec<(Admission, AdmissionReply)>,
    pub(super) unsynced: UnsyncedAdmissions,
    pub(super) group_admissions: Vec<AdmissionReply>,
    pub(super) shrink_group_quota: bool,

    /// Groups for which Redis has a member count of this node.
    pub(super) counted_groups: HashSet<GroupName>,
    /// Groups whose member count may have changed.
    pub(super) changed_groups: HashSet<GroupName>,
    pub(super) counts_at: Option<Instant>,

    pub(super) presence: PresenceState,
    /// Callers that wait until their presence is written.
    pub(super) presence_waiters: Vec<oneshot::Sender<()>>,
    /// Time at which leave messages are due.
    pub(super) announce_left_at: Option<Instant>,
}

/// One call, and the callers that wait for it.
#[derive(Debug, Default)]
pub(super) struct WriteBatch {
    pub(super) changes: Vec<Change>,
    /// Number of releases, at the front of `changes`.
    pub(super) releases: usize,
    /// Number of changes before those of `admissions` and `group_admissions`.
    pub(super) before_admissions: usize,
    pub(super) admissions: Vec<(Admission, AdmissionReply)>,
    pub(super) group_admissions: Vec<AdmissionReply>,
    pub(super) presence_waiters: Vec<oneshot::Sender<()>>,
    /// Whether the grace period of a presence begins.
    pub(super) begins_grace: bool,
}

impl PendingWrites {
    /// Returns the time of the next work that no request causes.
    pub(super) fn next_due(&self) -> Instant {
        // Without a valid lease no counts are written; they go out with the next lease.
        let counts_at = self.counts_at.filter(|_| self.valid_lease().is_some());
        let times = [self.renew_at, self.announce_left_at, counts_at, self.restricted_until];
        times.into_iter().flatten().min().unwrap_or_else(|| Instant::now() + COUNTS_DELAY)
    }

    /// Returns whether there is anything to write now.
    pub(super) fn has_work(&self, now: Instant) -> bool {
        let counts_due = self.counts_at.is_some_and(|due| due <= now);
        if self.is_restricted(now) {
            return self.presence.has_exits() || counts_due;
        }
        !self.admissions.is_empty()
            || !self.unsynced.is_empty()
            || !self.group_admissions.is_empty()
            || !self.presence_waiters.is_empty()
            || self.presence.has_changes()
            || self.shrink_group_quota
            || counts_due
            || self.changed_groups.len() >= MAX_BATCH
    }

    /// Returns whether only removals are written.
    pub(super) fn is_restricted(&self, now: Instant) -> bool {
        self.restricted_until.is_some_and(|until| until > now)
    }

    /// Makes a batch of all that waits.
    pub(super) fn take_batch(&mut self, quota: &GroupQuota, deliver: &dyn Deliver) -> WriteBatch {
        let mut batch = WriteBatch::default();
        batch.releases = self.unsynced.take_changes(&mut batch.changes);
        if self.counts_at.is_some_and(|due| due <= Instant::now()) || self.changed_groups.len() >= MAX_BATCH {
            self.take_counts(&mut batch.changes, deliver);
        }
        self.take_exits(&mut batch);
        batch.changes.extend(self.presence.take_entered(MAX_BATCH, false));
        if !self.presence.has_changes() {
            batch.presence_waiters = std::mem::take(&mut self.presence_waiters);
        }
        batch.before_admissions = batch.changes.len();
        let rest = self.admissions.split_off(MAX_BATCH.min(self.admissions.len()));
        batch.admissions = std::mem::replace(&mut self.admissions, rest);
        batch.changes.extend(batch.admissions.iter().map(|(admission, _)| Change::Admit(admission.clone())));
        batch.group_admissions = std::mem::take(&mut self.group_admissions);
        if self.shrink_group_quota || !batch.group_admissions.is_empty() {
            self.shrink_group_quota = false;
            let needed = quota.freeze();
            let wanted = needed + batch.group_admissions.len().max(quota.block());
            batch.changes.push(Change::GroupQuota { wanted, needed });
        }
        batch
    }

    /// Makes a batch of removals only.
    pub(super) fn take_removals(&mut self, deliver: &dyn Deliver) -> WriteBatch {
        let mut batch = WriteBatch::default();
        let (changed, counted) = (&mut self.changed_groups, &mut self.counted_groups);
        changed.retain(|group| {
            let is_empty = deliver.group_count(group) == 0;
            if is_empty && counted.remove(group) {
                batch.changes.push(Change::GroupMembers(group.clone(), 0));
            }
            !is_empty
        });
        self.counts_at = self.restricted_until.filter(|_| !self.changed_groups.is_empty());
        self.take_exits(&mut batch);
        batch.before_admissions = batch.changes.len();
        batch
    }

    fn take_exits(&mut self, batch: &mut WriteBatch) {
        let exits = self.presence.take_exited(MAX_BATCH);
        batch.begins_grace = exits.iter().any(|change| matches!(change, Change::Exit { lost: true, .. }));
        batch.changes.extend(exits);
    }

    /// Takes up to [`MAX_BATCH`] groups whose member count may have changed, with their current counts.
    pub(super) fn take_counts(&mut self, changes: &mut Vec<Change>, deliver: &dyn Deliver) {
        let groups: Vec<_> = self.changed_groups.iter().take(MAX_BATCH).cloned().collect();
        for group in groups {
            self.changed_groups.remove(&group);
            let count = deliver.group_count(&group);
            let was_counted = match count {
                0 => self.counted_groups.remove(&group),
                _ => !self.counted_groups.insert(group.clone()),
            };
            if was_counted || count > 0 {
                changes.push(Change::GroupMembers(group, count));
            }
        }
        self.counts_at = (!self.changed_groups.is_empty()).then(Instant::now);
    }

    /// Queues the callers of a batch again that was not written. Its counts and presences are written with the next
    /// lease.
    pub(super) fn put_back(&mut self, batch: WriteBatch) {
        self.admissions.splice(0..0, batch.admissions);
        self.group_admissions.splice(0..0, batch.group_admissions);
        self.presence_waiters.splice(0..0, batch.presence_waiters);
    }

    /// Queues changes again that Redis has refused, and restricts writes until the given time.
    pub(super) fn put_back_refused(&mut self, changes: &[Change], until: Instant) {
        self.restricted_until = Some(until);
        for change in changes {
            match change {
                Change::ForceAdmit(admission) => self.unsynced.admit(admission.clone()),
                Change::Release(admission) => self.unsynced.release(admission.clone()),
                Change::GroupMembers(group, count) => {
                    if *count == 0 {
                        self.counted_groups.insert(group.clone());
                    }
                    self.changed_groups.insert(group.clone());
                    self.counts_at = Some(until);
                }
                Change::GroupQuota { .. } => self.shrink_group_quota = true,
                Change::Enter(EnterPresence { group, user, .. }) => self.presence.restore_entered(group, user),
                Change::Exit { group, user, lost } => self.presence.restore_exited(group, user, *lost),
                // The callers of admissions wait in the batch. The other changes are written with a new lease only.
                Change::Admit(_) | Change::UserConnections(..) | Change::IpConnections(..) => {}
            }
        }
    }

    /// Releases an admission.
    pub(super) fn release(&mut self, admission: Admission) {
        self.admission.release(&admission);
        self.unsynced.release(admission);
    }

    /// Sends the decision on an admission. Releases the admission if the caller is gone.
    pub(super) fn reply(&mut self, admission: Admission, reply: AdmissionReply, decision: Result<(), Refused>) {
        if let Err(Ok(())) = reply.send(decision) {
            self.release(admission);
        }
    }

    /// Returns the lease to write under.
    pub(super) fn valid_lease(&self) -> Option<WriteLease> {
        self.lease.filter(|_| !self.is_lease_stale)
    }

    /// Marks the lease as stale. The next lease is written with the whole state, including all pending changes.
    pub(super) fn mark_lease_stale(&mut self) {
        self.unsynced.clear();
        self.restricted_until = None;
        if !std::mem::replace(&mut self.is_lease_stale, true) {
            self.renew_at = Some(Instant::now());
        }
    }

    /// Moves the lease to the old ones, which are to be removed: it has ended, or another one replaces it.
    pub(super) fn retire_lease(&mut self) {
        self.old_leases.extend(self.lease.take().map(|lease| lease.lease));
    }
}
