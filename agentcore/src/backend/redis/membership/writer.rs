//! The one writer of what this node has in the registry: places, members of groups, presences, the lease.
//!
//! What is asked meanwhile waits and goes out together, one call at a time: so what Redis has and what this node believes
//! differ by one call at most, and when its answer is missing, the node takes a new lease and writes all it has.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::super::command_link::CommandLink;
use super::super::driver::{Change, ChangeOutcome, is_refused};
use super::group_quota::GroupQuota;
use super::peers::Peers;
use super::pending::{COUNTS_AFTER, MOST, PendingWrites, WriteBatch};
use super::request::{AdmissionReply, PresenceEntry, RegistryRequest};
use crate::backend::{Admission, AdmissionLimits, Deliver, PresenceExit, Refused};
use crate::error::{Error, Result};
use crate::id::NodeId;

/// So long after Redis has refused what needs memory, it is asked again.
const AFTER_REFUSAL: Duration = Duration::from_secs(1);

/// The writer.
pub(in super::super) struct RegistryWriter {
    pub(in super::super) node: NodeId,
    pub(in super::super) origin: u64,
    pub(in super::super) limits: AdmissionLimits,
    pub(in super::super) lease_time: Duration,
    pub(in super::super) link: Arc<CommandLink>,
    pub(in super::super) deliver: Arc<dyn Deliver>,
    pub(in super::super) peers: Arc<Peers>,
    pub(in super::super) groups: Arc<GroupQuota>,
    pub(in super::super) state: PendingWrites,
}

impl RegistryWriter {
    /// Answers what is asked, until everything is given back. RedisNode again after a panic, it takes a new lease: what the
    /// last call did is not known.
    pub(in super::super) async fn run(desk: Arc<tokio::sync::Mutex<(Self, mpsc::UnboundedReceiver<RegistryRequest>)>>) {
        let (desk, asks) = &mut *desk.lock().await;
        let mut link = desk.link.watch();
        let mut taken = Vec::new();
        if std::mem::replace(&mut desk.state.running, true) {
            desk.state.lose_lease();
        }
        loop {
            let due = desk.due();
            tokio::select! {
                count = asks.recv_many(&mut taken, MOST) => if count == 0 { return },
                changed = link.changed() => {
                    if changed.is_err() { return }
                    desk.state.renew_at = Some(Instant::now());
                }
                () = sleep_until(due) => {}
            }
            desk.state.asks.extend(taken.drain(..));
            // One by one: a panic in between loses none of the others.
            while let Some(ask) = desk.state.asks.pop_front() {
                if let RegistryRequest::Leave(done) = ask {
                    desk.leave().await;
                    let _ = done.send(());
                    return;
                }
                desk.note(ask);
            }
            desk.work().await;
        }
    }

    /// When there is something to do that nobody asks for. Without a link that is nothing: its return is seen, and a look now
    /// and then costs nothing.
    fn due(&self) -> Instant {
        if self.link.get().is_some() { self.state.next_due() } else { Instant::now() + COUNTS_AFTER }
    }

    fn note(&mut self, ask: RegistryRequest) {
        let state = &mut self.state;
        match ask {
            RegistryRequest::Admit(admission, answer) => state.admits.push((admission, answer)),
            // In the order of the asks: a place that is given back can be taken in the same call.
            RegistryRequest::Release(admission) => state.give_back(admission),
            // What was granted to somebody else's ask may be enough for this one.
            RegistryRequest::Groups(answer) if self.groups.take() => self.tell(answer, Ok(())),
            RegistryRequest::Groups(answer) => state.group_asks.push(answer),
            RegistryRequest::FewerGroups => state.fewer_groups = true,
            // Empty as far as Redis was told: while it is away, groups that come and go do not pile up.
            RegistryRequest::Members(group)
                if !state.told.contains(&group) && self.deliver.group_count(&group) == 0 =>
            {
                state.counts.remove(&group);
            }
            RegistryRequest::Members(group) => {
                state.counts.insert(group);
                state.counts_at.get_or_insert_with(|| Instant::now() + COUNTS_AFTER);
            }
            RegistryRequest::Enter(entry, done) => {
                let PresenceEntry { presence, joined, left } = *entry;
                state.presences.enter(&presence, joined, left);
                state.written.push(done);
            }
            RegistryRequest::Exit { group, user, connection, lost, done } => {
                state.presences.exit(&PresenceExit { group: &group, user: &user, connection, lost });
                state.written.push(done);
            }
            RegistryRequest::Present(groups, answer) => {
                let _ = answer.send(groups.iter().map(|group| state.presences.count(group)).collect());
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
        if self.state.renew_at.is_none_or(|due| due <= now) {
            self.renew().await;
        }
        if self.state.left_at.is_some_and(|due| due <= now) {
            self.announce_left().await;
        }
        let mut is_written = true;
        while is_written && self.state.has_work(Instant::now()) {
            is_written = self.write().await;
        }
        if is_written && !self.state.is_behind(Instant::now()) {
            self.state.behind = None;
        }
        if self.state.current().is_none() || self.state.behind.is_some() {
            self.decide_alone();
        }
    }

    /// Writes what waits, in one call. False when Redis does not say what became of it.
    async fn write(&mut self) -> bool {
        for _ in 0..2 {
            let (Some(writer), Some(commands)) = (self.state.current(), self.link.get()) else { return false };
            let is_behind = self.state.is_behind(Instant::now());
            let mut call = match is_behind {
                true => self.state.take_out(&*self.deliver),
                false => self.state.take_call(&self.groups, &*self.deliver),
            };
            let changes: Arc<[Change]> = std::mem::take(&mut call.changes).into();
            match commands.write(writer, changes.clone()).await {
                Ok(Some(outcomes)) => {
                    if !is_behind {
                        self.state.behind = None;
                    }
                    if call.exits {
                        let due = Instant::now() + crate::backend::GRACE;
                        self.state.left_at.get_or_insert(due);
                    }
                    return self.settle(call, outcomes);
                }
                // Another lease: it writes all that this call would have, but for what is decided.
                Ok(None) => {
                    self.state.put_back(call);
                    self.state.lose_lease();
                    self.state.retire();
                    if !self.renew().await {
                        return false;
                    }
                }
                // What takes something out needs no memory: if even that is refused, it is something else.
                Err(error) if is_refused(&error) && !is_behind => {
                    tracing::warn!("the registry in Redis is not up to date: {error:?}");
                    self.state.refused(&changes, Instant::now() + AFTER_REFUSAL);
                    self.state.put_back(call);
                    return false;
                }
                Err(error) => {
                    tracing::debug!("the registry was not written: {error:?}");
                    self.state.put_back(call);
                    self.state.lose_lease();
                    self.link.suspect();
                    return false;
                }
            }
        }
        false
    }

    /// Gives everything back: this node has no connections any more.
    async fn leave(&mut self) {
        if self.state.has_work(Instant::now()) {
            self.write().await;
        }
        let Some(commands) = self.link.get() else { return };
        let own = self.state.writer.take().map(|writer| writer.lease);
        for lease in own.into_iter().chain(std::mem::take(&mut self.state.old_leases)) {
            if let Err(error) = commands.remove(lease, true).await {
                tracing::warn!("what this node left in Redis ends by itself: {error:?}");
            }
        }
    }

    /// Tells whoever waits what was decided.
    fn settle(&mut self, call: WriteBatch, outcomes: Vec<ChangeOutcome>) -> bool {
        self.state.places.given_back(call.releases);
        let mut outcomes = outcomes.into_iter().skip(call.before);
        for (admission, answer) in call.admits {
            let decided = match outcomes.next() {
                Some(ChangeOutcome::Admitted(all)) => {
                    self.state.places.granted(&admission, all);
                    Ok(())
                }
                Some(ChangeOutcome::Refused(refused)) => Err(refused),
                _ => {
                    if let Some(epoch) = self.state.epoch {
                        self.state.places.doubt(epoch);
                    }
                    self.decide(&admission)
                }
            };
            self.state.answer(admission, answer, decided);
        }
        match outcomes.next() {
            Some(ChangeOutcome::Groups(granted)) => {
                self.groups.grant(granted);
                for answer in call.group_asks {
                    self.tell(answer, if self.groups.take() { Ok(()) } else { Err(Refused::Groups) });
                }
            }
            _ => self.allow_groups(call.group_asks),
        }
        for done in call.written {
            let _ = done.send(());
        }
        true
    }

    /// Decides an admission without Redis, by this node's share; Redis will be told.
    fn decide(&mut self, admission: &Admission) -> Result<(), Refused> {
        let state = &mut self.state;
        if !state.places.is_known() {
            // This node came when Redis had lost what the others had told it: there is no count that it could share in.
            return Err(Refused::Backend(Error::backend("Redis counts anew").with_retry_after(Duration::from_secs(1))));
        }
        state.places.decide(&self.limits, admission)?;
        state.owed.take(admission.user.clone(), admission.ip);
        Ok(())
    }

    /// Tells whoever asked for a place for a group; one who has gone meanwhile needs none.
    fn tell(&self, answer: AdmissionReply, decided: Result<(), Refused>) {
        if let Err(Ok(())) = answer.send(decided) {
            self.groups.give_back();
        }
    }

    /// JoinRequest goes on where nobody knows what the others have.
    fn allow_groups(&self, asks: Vec<AdmissionReply>) {
        for answer in asks {
            self.groups.force();
            self.tell(answer, Ok(()));
        }
    }

    /// Without Redis: what can be decided by what this node knows, is; the rest waits in what it will write.
    fn decide_alone(&mut self) {
        for (admission, answer) in std::mem::take(&mut self.state.admits) {
            let decided = self.decide(&admission);
            self.state.answer(admission, answer, decided);
        }
        let asks = std::mem::take(&mut self.state.group_asks);
        self.allow_groups(asks);
        for done in self.state.written.drain(..) {
            let _ = done.send(());
        }
    }
}
