//! The registry: leases, epochs, places and members.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::super::{Change, ChangeOutcome, ClusterView, EnterPresence, JoinRequest, Peer, WriteLease};
use super::presence::{Messages, PresenceKey, StubPresence};
use crate::backend::redis::keys::Channel;
use crate::backend::{AdmissionLimits, Refused};
use crate::id::{GroupName, UserId};

/// So many entries are removed in one step.
const STEP: usize = 500;

/// The registry, and how long things last in it.
pub(super) struct StubRegistry {
    lease: Duration,
    grace: Duration,
    epoch: Option<StubEpoch>,
}

struct StubEpoch {
    id: u64,
    begun: Instant,
    /// What began with a loss is unsure until then.
    unsure: Instant,
    stamp: Instant,
    /// Redis was away: no lease counts as ended until then.
    grace: Instant,
    nodes: BTreeMap<u64, StubNode>,
    presences: StubPresence,
}

/// What one lease has.
struct StubNode {
    peer: Peer,
    join: u64,
    /// `None`: it was found to have ended, and stays so.
    expiry: Option<Instant>,
    groups: usize,
    users: HashMap<UserId, usize>,
    ips: HashMap<IpAddr, usize>,
    members: HashMap<GroupName, usize>,
    present: HashMap<PresenceKey, Bytes>,
}

impl StubRegistry {
    pub(super) fn new(lease: Duration, grace: Duration) -> Self {
        Self { lease, grace, epoch: None }
    }

    pub(super) fn clear(&mut self) {
        self.epoch = None;
    }

    /// `None`: a later join of the same life has come before.
    pub(super) fn join(&mut self, joining: JoinRequest) -> Option<ClusterView> {
        let (now, lease) = (Instant::now(), self.lease);
        self.judge();
        let later = |entry: &StubNode| entry.peer.origin == joining.origin && entry.join > joining.number;
        if self.epoch.iter().flat_map(|epoch| epoch.nodes.values()).any(later) {
            return None;
        }
        let lost = if joining.before.is_some() { now + lease } else { now };
        let epoch = self.epoch.get_or_insert_with(|| StubEpoch {
            id: joining.lease,
            begun: now,
            unsure: lost,
            stamp: now,
            grace: now,
            nodes: BTreeMap::new(),
            presences: StubPresence::default(),
        });
        if joining.before.is_some_and(|before| before != epoch.id) {
            epoch.unsure = epoch.unsure.max(epoch.begun + lease);
        }
        epoch.stamp = now;
        for other in epoch.nodes.values_mut().filter(|entry| entry.peer.origin == joining.origin) {
            (other.peer.places, other.groups) = (0, 0);
        }
        let JoinRequest { node, origin, places, .. } = joining;
        let entry = StubNode {
            peer: Peer { lease: joining.lease, node, origin, places },
            join: joining.number,
            expiry: Some(now + lease),
            groups: joining.groups,
            users: HashMap::new(),
            ips: HashMap::new(),
            members: HashMap::new(),
            present: HashMap::new(),
        };
        epoch.nodes.insert(joining.lease, entry);
        Some(epoch.view())
    }

    pub(super) fn renew(&mut self, writer: &WriteLease) -> Option<ClusterView> {
        let (now, lease) = (Instant::now(), self.lease);
        let epoch = self.written_by(writer)?;
        epoch.stamp = now;
        epoch.nodes.get_mut(&writer.lease)?.expiry = Some(now + lease);
        Some(epoch.view())
    }

    pub(super) fn write(
        &mut self,
        writer: &WriteLease,
        changes: Vec<Change>,
    ) -> Option<(Vec<ChangeOutcome>, Messages)> {
        let grace = self.grace;
        let epoch = self.written_by(writer)?;
        let mut messages = Messages::new();
        let mut outcomes = Vec::with_capacity(changes.len());
        for change in changes {
            outcomes.push(epoch.change(writer, change, grace, &mut messages)?);
        }
        Some((outcomes, messages))
    }

    /// Removes some entries of a lease. Whether there are more.
    pub(super) fn remove(&mut self, lease: u64, own: bool) -> (bool, Messages) {
        self.judge();
        let mut messages = Messages::new();
        let Some(epoch) = &mut self.epoch else { return (false, messages) };
        let Some(entry) = epoch.nodes.get_mut(&lease) else { return (false, messages) };
        if entry.expiry.is_some() && !own {
            return (false, messages);
        }
        entry.expiry = None;
        let some: Vec<_> = entry.present.keys().take(STEP).cloned().collect();
        for place in some {
            if let Some(left) = entry.present.remove(&place) {
                messages.extend(epoch.presences.leave(place, left, None));
            }
        }
        if entry.present.is_empty() {
            epoch.nodes.remove(&lease);
            if epoch.nodes.is_empty() {
                self.epoch = None;
            }
            return (false, messages);
        }
        (true, messages)
    }

    pub(super) fn announce_left(&mut self) -> (Messages, Option<Duration>) {
        match &mut self.epoch {
            Some(epoch) => (epoch.presences.end_graces(), epoch.presences.next_left()),
            None => (Messages::new(), None),
        }
    }

    pub(super) fn members(&mut self, groups: &[GroupName]) -> Vec<usize> {
        let live = self.live();
        groups.iter().map(|group| live.iter().filter_map(|entry| entry.members.get(group)).sum()).collect()
    }

    pub(super) fn present(&self, groups: &[GroupName]) -> Vec<usize> {
        let count = |group| self.epoch.as_ref().map_or(0, |epoch| epoch.presences.count(group));
        groups.iter().map(count).collect()
    }

    pub(super) fn users(&mut self) -> usize {
        let users: HashSet<_> =
            self.epoch.iter().flat_map(|epoch| epoch.nodes.values()).flat_map(|entry| entry.users.keys()).collect();
        users.len()
    }

    pub(super) fn has_user(&mut self, user: &UserId) -> bool {
        self.live().iter().any(|entry| entry.users.contains_key(user))
    }

    fn live(&mut self) -> Vec<&StubNode> {
        self.judge();
        self.epoch.iter().flat_map(|epoch| epoch.nodes.values()).filter(|entry| entry.expiry.is_some()).collect()
    }

    /// The epoch, unless the writer is fenced.
    fn written_by(&mut self, writer: &WriteLease) -> Option<&mut StubEpoch> {
        self.judge();
        let epoch = self.epoch.as_mut().filter(|epoch| epoch.id == writer.epoch)?;
        epoch.nodes.get(&writer.lease)?.expiry?;
        Some(epoch)
    }

    /// Says who is live: the rule that the module's documentation of the seam has.
    fn judge(&mut self) {
        let (now, lease) = (Instant::now(), self.lease);
        let Some(epoch) = &mut self.epoch else { return };
        if now - epoch.stamp > lease / 2 {
            (epoch.stamp, epoch.grace) = (now, now + lease);
        }
        for entry in epoch.nodes.values_mut() {
            if entry.expiry.is_some_and(|expiry| expiry <= now && epoch.grace <= now) {
                entry.expiry = None;
            }
        }
    }
}

impl StubEpoch {
    fn view(&self) -> ClusterView {
        let (live, ended): (Vec<_>, Vec<_>) = self.nodes.values().partition(|entry| entry.expiry.is_some());
        let peers = |entries: &[&StubNode]| entries.iter().map(|entry| entry.peer.clone()).collect();
        ClusterView {
            epoch: self.id,
            live: peers(&live),
            ended: peers(&ended),
            groups: live.iter().map(|entry| entry.groups).sum(),
            unsure: self.unsure.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()),
            next_left: self.presences.next_left(),
        }
    }

    fn change(
        &mut self,
        writer: &WriteLease,
        change: Change,
        grace: Duration,
        messages: &mut Messages,
    ) -> Option<ChangeOutcome> {
        if let Change::Admit(user, ip) = change {
            return self.admit(writer, user, ip);
        }
        let unsure = Instant::now() < self.unsure;
        let others: usize = self.others(writer.lease).map(|entry| entry.groups).sum();
        let entry = self.nodes.get_mut(&writer.lease)?;
        match change {
            Change::Admit(..) => {}
            Change::Take(user, ip) => entry.take(user, ip),
            Change::Release(user, ip) => entry.release(&user, ip),
            Change::Places(user, count) => set(&mut entry.users, user, count),
            Change::PlacesOf(ip, count) => set(&mut entry.ips, ip, count),
            Change::Members(group, count) => set(&mut entry.members, group, count),
            Change::Groups { wanted, needed } => {
                let free = if unsure { entry.groups } else { writer.limits.groups.saturating_sub(others) };
                entry.groups = needed.max(wanted.min(free));
                let short = unsure && entry.groups < wanted;
                return Some(if short { ChangeOutcome::Uncertain } else { ChangeOutcome::Groups(entry.groups) });
            }
            Change::Enter(EnterPresence { group, user, joined, left, again }) => {
                let place = (group, user);
                let is_new = entry.present.insert(place.clone(), left).is_none();
                if is_new && self.presences.enter(&place) && !(again && unsure) {
                    messages.push((Channel::Group(place.0), joined));
                }
            }
            Change::Exit { group, user, lost } => {
                let place = (group, user);
                if let Some(left) = entry.present.remove(&place) {
                    messages.extend(self.presences.leave(place, left, lost.then_some(grace)));
                }
            }
        }
        Some(ChangeOutcome::Done)
    }

    fn admit(&mut self, writer: &WriteLease, user: UserId, ip: Option<IpAddr>) -> Option<ChangeOutcome> {
        if Instant::now() < self.unsure {
            return Some(ChangeOutcome::Uncertain);
        }
        let AdmissionLimits { total, per_user, per_ip, .. } = writer.limits;
        let live = || self.nodes.values().filter(|entry| entry.expiry.is_some());
        if live().map(|entry| entry.peer.places).sum::<usize>() >= total {
            return Some(ChangeOutcome::Refused(Refused::Total));
        }
        let has: usize = live().filter_map(|entry| entry.users.get(&user)).sum();
        if has >= per_user {
            return Some(ChangeOutcome::Refused(Refused::User));
        }
        if ip.is_some_and(|ip| live().filter_map(|entry| entry.ips.get(&ip)).sum::<usize>() >= per_ip) {
            return Some(ChangeOutcome::Refused(Refused::Ip));
        }
        self.nodes.get_mut(&writer.lease)?.take(user, ip);
        Some(ChangeOutcome::Admitted(has + 1))
    }

    fn others(&self, lease: u64) -> impl Iterator<Item = &StubNode> {
        self.nodes.values().filter(move |entry| entry.expiry.is_some() && entry.peer.lease != lease)
    }
}

impl StubNode {
    fn take(&mut self, user: UserId, ip: Option<IpAddr>) {
        self.peer.places += 1;
        *self.users.entry(user).or_default() += 1;
        if let Some(ip) = ip {
            *self.ips.entry(ip).or_default() += 1;
        }
    }

    /// A place that it does not have is no place.
    fn release(&mut self, user: &UserId, ip: Option<IpAddr>) {
        let Some(&count) = self.users.get(user) else { return };
        set(&mut self.users, user.clone(), count - 1);
        self.peer.places = self.peer.places.saturating_sub(1);
        if let Some(ip) = ip
            && let Some(&count) = self.ips.get(&ip)
        {
            set(&mut self.ips, ip, count - 1);
        }
    }
}

fn set<K: Eq + std::hash::Hash>(counts: &mut HashMap<K, usize>, key: K, count: usize) {
    if count == 0 {
        counts.remove(&key);
    } else {
        counts.insert(key, count);
    }
}
