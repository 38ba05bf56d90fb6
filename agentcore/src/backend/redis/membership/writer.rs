//! The writer: takes requests, writes changes to the registry, and decides alone while Redis does not answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::super::command_link::CommandLink;
use super::super::driver::{Change, ChangeOutcome, is_refused};
use super::admission::counts_unknown;
use super::group_quota::GroupQuota;
use super::namesakes::Namesakes;
use super::peers::Peers;
use super::pending::{COUNTS_DELAY, MAX_BATCH, PendingWrites, WriteBatch};
use super::request::{AdmissionReply, PresenceEntry, RegistryRequest};
use crate::backend::{Admission, AdmissionLimits, Deliver, PRESENCE_GRACE, PresenceExit, Refused};
use crate::error::Result;
use crate::id::NodeId;
use crate::log_throttle::LogThrottle;

/// Delay before the next write of changes that need memory, after Redis has refused one.
const RESTRICTION: Duration = Duration::from_secs(1);

/// The only writer of this node's registry entries.
pub(in super::super) struct RegistryWriter {
    pub(in super::super) node: NodeId,
    pub(in super::super) incarnation: u64,
    pub(in super::super) limits: AdmissionLimits,
    pub(in super::super) lease_time: Duration,
    pub(in super::super) link: Arc<CommandLink>,
    pub(in super::super) deliver: Arc<dyn Deliver>,
    pub(in super::super) peers: Arc<Peers>,
    pub(in super::super) quota: Arc<GroupQuota>,
    pub(in super::super) pending: PendingWrites,
    /// Whether connections can be admitted, for readers outside of the task.
    pub(in super::super) admits: Arc<AtomicBool>,
    /// Log lines about connections that cannot be admitted.
    pub(in super::super) refusals: LogThrottle,
    pub(in super::super) namesakes: Namesakes,
}

impl RegistryWriter {
    /// Handles requests until the node leaves. After a panic the task runs again and takes a new lease, because the
    /// result of the last call is unknown.
    pub(in super::super) async fn run(
        writer: Arc<tokio::sync::Mutex<(Self, mpsc::UnboundedReceiver<RegistryRequest>)>>,
    ) {
        let (writer, requests) = &mut *writer.lock().await;
        let mut link = writer.link.watch();
        let mut received = Vec::new();
        if std::mem::replace(&mut writer.pending.has_run, true) {
            writer.pending.mark_lease_stale();
        }
        loop {
            let due = writer.next_due();
            tokio::select! {
                count = requests.recv_many(&mut received, MAX_BATCH) => if count == 0 { return },
                changed = link.changed() => {
                    if changed.is_err() { return }
                    writer.pending.renew_at = Some(Instant::now());
                }
                () = sleep_until(due) => {}
            }
            writer.pending.requests.extend(received.drain(..));
            // Takes one at a time from a queue that outlives a panic, so that a panic loses one request at most.
            while let Some(request) = writer.pending.requests.pop_front() {
                if let RegistryRequest::Leave(done) = request {
                    writer.leave().await;
                    let _ = done.send(());
                    return;
                }
                writer.handle(request);
            }
            writer.work().await;
            writer.update_admits();
        }
    }

    /// Publishes whether connections can be admitted.
    pub(super) fn update_admits(&self) {
        self.admits.store(self.pending.admission.is_certain(), Ordering::Release);
    }

    /// Returns the time of the next work that no request causes. Without a connection there is none until the
    /// connection is back, which wakes the task; the regular check costs next to nothing.
    fn next_due(&self) -> Instant {
        if self.link.get().is_some() { self.pending.next_due() } else { Instant::now() + COUNTS_DELAY }
    }

    fn handle(&mut self, request: RegistryRequest) {
        let pending = &mut self.pending;
        match request {
            RegistryRequest::Admit(admission, reply) => pending.admissions.push((admission, reply)),
            // Releases precede admissions in a call, so the same call can reuse a released connection.
            RegistryRequest::Release(admission) => pending.release(admission),
            // A permit that was granted for another request may be left.
            RegistryRequest::AdmitGroup(reply) if self.quota.try_acquire() => self.reply_group(reply, Ok(())),
            RegistryRequest::AdmitGroup(reply) => pending.group_admissions.push(reply),
            RegistryRequest::ShrinkGroupQuota => pending.shrink_group_quota = true,
            // Redis does not know the group and it is empty. Forgetting it keeps the state small while Redis is
            // unreachable.
            RegistryRequest::GroupCountChanged(group)
                if !pending.counted_groups.contains(&group) && self.deliver.group_count(&group) == 0 =>
            {
                pending.changed_groups.remove(&group);
            }
            RegistryRequest::GroupCountChanged(group) => {
                pending.changed_groups.insert(group);
                pending.counts_at.get_or_insert_with(|| Instant::now() + COUNTS_DELAY);
            }
            RegistryRequest::Enter(entry, done) => {
                let PresenceEntry { presence, joined, left } = *entry;
                pending.presence.enter(&presence, joined, left);
                pending.presence_waiters.push(done);
            }
            RegistryRequest::Exit { group, user, connection, lost, done } => {
                pending.presence.exit(&PresenceExit { group: &group, user: &user, connection, lost });
                pending.presence_waiters.push(done);
            }
            RegistryRequest::PresentCounts(groups, reply) => {
                let _ = reply.send(groups.iter().map(|group| pending.presence.count(group)).collect());
            }
            RegistryRequest::Leave(_) => {}
        }
    }

    /// Does all that is due.
    async fn work(&mut self) {
        let now = Instant::now();
        if self.link.get().is_none() {
            self.decide_alone();
            return;
        }
        if self.pending.renew_at.is_none_or(|due| due <= now) {
            self.renew().await;
        }
        if self.pending.announce_left_at.is_some_and(|due| due <= now) {
            self.announce_left().await;
        }
        let mut is_written = true;
        while is_written && self.pending.has_work(Instant::now()) {
            is_written = self.write().await;
        }
        if is_written && !self.pending.is_restricted(Instant::now()) {
            self.pending.restricted_until = None;
        }
        if self.pending.valid_lease().is_none() || self.pending.restricted_until.is_some() {
            self.decide_alone();
        }
    }

    /// Writes what waits, in one call. Returns whether Redis has confirmed it.
    async fn write(&mut self) -> bool {
        for _ in 0..2 {
            let (Some(lease), Some(commands)) = (self.pending.valid_lease(), self.link.get()) else { return false };
            let is_restricted = self.pending.is_restricted(Instant::now());
            let mut batch = match is_restricted {
                true => self.pending.take_removals(&*self.deliver),
                false => self.pending.take_batch(&self.quota, &*self.deliver),
            };
            let changes: Arc<[Change]> = std::mem::take(&mut batch.changes).into();
            match commands.write(lease, changes.clone()).await {
                Ok(Some(outcomes)) => {
                    if !is_restricted {
                        self.pending.restricted_until = None;
                    }
                    if batch.begins_grace {
                        let due = Instant::now() + PRESENCE_GRACE;
                        self.pending.announce_left_at.get_or_insert(due);
                    }
                    self.settle(batch, outcomes);
                    return true;
                }
                // Fenced. The next lease is written with all changes of this batch, except those that await a decision.
                Ok(None) => {
                    self.pending.put_back(batch);
                    self.pending.mark_lease_stale();
                    self.pending.retire_lease();
                    if !self.renew().await {
                        return false;
                    }
                }
                // Removals need no memory. If Redis refuses even those, the error has another cause.
                Err(error) if is_refused(&error) && !is_restricted => {
                    tracing::warn!("the registry in Redis is not up to date: {error:?}");
                    self.pending.put_back_refused(&changes, Instant::now() + RESTRICTION);
                    self.pending.put_back(batch);
                    return false;
                }
                Err(error) => {
                    tracing::debug!("the registry was not written: {error:?}");
                    self.pending.put_back(batch);
                    self.pending.mark_lease_stale();
                    self.link.suspect();
                    return false;
                }
            }
        }
        false
    }

    /// Removes this node from the registry. It has no connections any more.
    async fn leave(&mut self) {
        if self.pending.has_work(Instant::now()) {
            self.write().await;
        }
        let Some(commands) = self.link.get() else { return };
        let own = self.pending.lease.take().map(|lease| lease.lease);
        for lease in own.into_iter().chain(std::mem::take(&mut self.pending.old_leases)) {
            if let Err(error) = commands.remove(lease, true).await {
                tracing::warn!("the registry entries of this node were not removed, and will expire: {error:?}");
            }
        }
    }

    /// Applies the outcomes of a batch, and replies to its callers.
    fn settle(&mut self, batch: WriteBatch, outcomes: Vec<ChangeOutcome>) {
        self.pending.admission.releases_recorded(batch.releases);
        let mut outcomes = outcomes.into_iter().skip(batch.before_admissions);
        for (admission, reply) in batch.admissions {
            let decision = match outcomes.next() {
                Some(ChangeOutcome::Admitted(all)) => {
                    self.pending.admission.granted(&admission, all);
                    Ok(())
                }
                Some(ChangeOutcome::Refused(refused)) => Err(refused),
                _ => {
                    if let Some(epoch) = self.pending.epoch {
                        self.pending.admission.mark_uncertain(epoch);
                    }
                    self.decide(&admission)
                }
            };
            self.pending.reply(admission, reply, decision);
        }
        match outcomes.next() {
            Some(ChangeOutcome::GroupQuota(granted)) => {
                self.quota.grant(granted);
                for reply in batch.group_admissions {
                    let decision = if self.quota.try_acquire() { Ok(()) } else { Err(Refused::Groups) };
                    self.reply_group(reply, decision);
                }
            }
            _ => self.admit_groups(batch.group_admissions),
        }
        for done in batch.presence_waiters {
            let _ = done.send(());
        }
    }

    /// Decides on everything that can be decided without Redis. The changes wait to be written.
    fn decide_alone(&mut self) {
        for (admission, reply) in std::mem::take(&mut self.pending.admissions) {
            let decision = self.decide(&admission);
            self.pending.reply(admission, reply, decision);
        }
        let replies = std::mem::take(&mut self.pending.group_admissions);
        self.admit_groups(replies);
        for done in self.pending.presence_waiters.drain(..) {
            let _ = done.send(());
        }
    }

    /// Decides on an admission by this node's share, and notes it for Redis.
    fn decide(&mut self, admission: &Admission) -> Result<(), Refused> {
        let pending = &mut self.pending;
        if !pending.admission.is_certain() {
            // The node started after Redis lost the counts of the others, so it knows no count that it could have a
            // share of.
            let reason = counts_unknown();
            if let Some(suppressed) = self.refusals.permit() {
                tracing::warn!(suppressed, "connections are refused for up to a lease: {reason:?}");
            }
            return Err(Refused::Backend(reason));
        }
        pending.admission.decide(&self.limits, admission)?;
        pending.unsynced.admit(admission.clone());
        Ok(())
    }

    /// Admits groups over the quota: joining works while the permits of other nodes are unknown.
    fn admit_groups(&self, replies: Vec<AdmissionReply>) {
        for reply in replies {
            self.quota.acquire_over_quota();
            self.reply_group(reply, Ok(()));
        }
    }

    /// Sends the decision on a group. Releases the permit if the caller is gone.
    fn reply_group(&self, reply: AdmissionReply, decision: Result<(), Refused>) {
        if let Err(Ok(())) = reply.send(decision) {
            self.quota.release();
        }
    }
}
