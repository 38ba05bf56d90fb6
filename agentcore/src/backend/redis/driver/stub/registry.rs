//! The registry of a stub: leases, epochs and the entries of each lease. Admission and presence follow the tables of
//! the backend in memory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::super::{Change, ChangeOutcome, ClusterView, EnterPresence, JoinRequest, Peer, WriteLease};
use crate::backend::redis::keys::Channel;
use crate::backend::{Admission, AdmissionLimits, AdmissionTable, Presence, PresenceExit, PresenceTable};
use crate::id::{ConnectionId, GroupName, NodeId, UserId};
use crate::message::OutboundMessage;

/// Limit of presences that one step removes.
const REMOVE_STEP: usize = 500;

/// Messages that a step publishes.
pub(super) type Messages = Vec<(Channel, Bytes)>;

/// The registry, and the durations in it.
pub(super) struct StubRegistry {
    lease: Duration,
    grace: Duration,
    epoch: Option<StubEpoch>,
}

struct StubEpoch {
    id: u64,
    begun: Instant,
    /// End of the uncertainty in an epoch that began with a loss.
    uncertain_until: Instant,
    /// Time of the latest renewal.
    stamp: Instant,
    /// Until then no lease expires, because the server was unreachable.
    grace_until: Instant,
    nodes: BTreeMap<u64, StubNode>,
    /// The present users. Each lease stands for one connection.
    presence: PresenceTable,
}

/// The entries of one lease.
struct StubNode {
    node: NodeId,
    incarnation: u64,
    attempt: u64,
    /// `None` once the lease was found expired; it stays so.
    expiry: Option<Instant>,
    groups: usize,
    admitted: AdmissionTable,
    members: HashMap<GroupName, usize>,
    present: HashSet<(GroupName, UserId)>,
}

impl StubRegistry {
    pub(super) fn new(lease: Duration, grace: Duration) -> Self {
        Self { lease, grace, epoch: None }
    }

    pub(super) fn clear(&mut self) {
        self.epoch = None;
    }

    /// Returns `None` when a later join of the same incarnation came first.
    pub(super) fn join(&mut self, request: JoinRequest) -> Option<ClusterView> {
        let (now, lease) = (Instant::now(), self.lease);
        self.expire_leases();
        let JoinRequest { incarnation, attempt, previous_epoch, .. } = request;
        let is_later = |node: &StubNode| node.incarnation == incarnation && node.attempt > attempt;
        if self.nodes().any(is_later) {
            return None;
        }
        let grace = self.grace;
        let epoch = self.epoch.get_or_insert_with(|| StubEpoch {
            id: request.lease,
            begun: now,
            uncertain_until: if previous_epoch.is_some() { now + lease } else { now },
            stamp: now,
            grace_until: now,
            nodes: BTreeMap::new(),
            presence: PresenceTable::with_grace(grace),
        });
        if previous_epoch.is_some_and(|previous| previous != epoch.id) {
            epoch.uncertain_until = epoch.uncertain_until.max(epoch.begun + lease);
        }
        epoch.stamp = now;
        for other in epoch.nodes.values_mut().filter(|node| node.incarnation == incarnation) {
            other.admitted.set_total(0);
            other.groups = 0;
        }
        let mut admitted = AdmissionTable::default();
        admitted.set_total(request.connections);
        let node = StubNode {
            node: request.node,
            incarnation,
            attempt,
            expiry: Some(now + lease),
            groups: request.groups,
            admitted,
            members: HashMap::new(),
            present: HashSet::new(),
        };
        epoch.nodes.insert(request.lease, node);
        Some(epoch.view())
    }

    pub(super) fn renew(&mut self, lease: &WriteLease) -> Option<ClusterView> {
        let (now, duration) = (Instant::now(), self.lease);
        let epoch = self.epoch_of(lease)?;
        epoch.stamp = now;
        epoch.nodes.get_mut(&lease.lease)?.expiry = Some(now + duration);
        Some(epoch.view())
    }

    pub(super) fn write(&mut self, lease: &WriteLease, changes: Vec<Change>) -> Option<(Vec<ChangeOutcome>, Messages)> {
        let epoch = self.epoch_of(lease)?;
        let mut messages = Messages::new();
        let mut outcomes = Vec::with_capacity(changes.len());
        for change in changes {
            outcomes.push(epoch.apply(lease, change, &mut messages)?);
        }
        Some((outcomes, messages))
    }

    /// Removes some entries of a lease. Returns whether there are more.
    pub(super) fn remove(&mut self, lease: u64, own: bool) -> (bool, Messages) {
        self.expire_leases();
        let mut messages = Messages::new();
        let Some(epoch) = &mut self.epoch else { return (false, messages) };
        let Some(node) = epoch.nodes.get_mut(&lease).filter(|node| own || node.expiry.is_none()) else {
            return (false, messages);
        };
        node.expiry = None;
        let step: Vec<_> = node.present.iter().take(REMOVE_STEP).cloned().collect();
        for (group, user) in step {
            messages.extend(epoch.exit(lease, group, user, false));
        }
        let has_more = epoch.nodes.get(&lease).is_some_and(|node| !node.present.is_empty());
        if !has_more {
            epoch.nodes.remove(&lease);
            if epoch.nodes.is_empty() {
                self.epoch = None;
            }
        }
        (has_more, messages)
    }

    pub(super) fn announce_left(&mut self) -> (Messages, Option<Duration>) {
        let Some(epoch) = &mut self.epoch else { return (Messages::new(), None) };
        let now = Instant::now();
        let messages = std::iter::from_fn(|| epoch.presence.take_due(now)).map(to_channel).collect();
        (messages, epoch.next_leave())
    }

    pub(super) fn member_counts(&mut self, groups: &[GroupName]) -> Vec<usize> {
        self.expire_leases();
        let count = |group: &GroupName| {
            self.nodes().filter(|node| node.is_live()).filter_map(|node| node.members.get(group)).sum()
        };
        groups.iter().map(count).collect()
    }

    pub(super) fn present_counts(&self, groups: &[GroupName]) -> Vec<usize> {
        let count = |group| self.epoch.as_ref().map_or(0, |epoch| epoch.presence.count(group));
        groups.iter().map(count).collect()
    }

    pub(super) fn user_count(&self) -> usize {
        let users: HashSet<_> = self.nodes().flat_map(|node| node.admitted.users()).map(|(user, _)| user).collect();
        users.len()
    }

    pub(super) fn has_user(&mut self, user: &UserId) -> bool {
        self.expire_leases();
        self.nodes().any(|node| node.is_live() && node.admitted.of_user(user) > 0)
    }

    fn nodes(&self) -> impl Iterator<Item = &StubNode> {
        self.epoch.iter().flat_map(|epoch| epoch.nodes.values())
    }

    /// Returns the epoch, or `None` when the writer is fenced.
    fn epoch_of(&mut self, lease: &WriteLease) -> Option<&mut StubEpoch> {
        self.expire_leases();
        let epoch = self.epoch.as_mut().filter(|epoch| epoch.id == lease.epoch)?;
        epoch.nodes.get(&lease.lease)?.expiry?;
        Some(epoch)
    }

    /// Marks expired leases. The documentation of the driver states the rule.
    fn expire_leases(&mut self) {
        let (now, lease) = (Instant::now(), self.lease);
        let Some(epoch) = &mut self.epoch else { return };
        if now - epoch.stamp > lease / 2 {
            (epoch.stamp, epoch.grace_until) = (now, now + lease);
        }
        for node in epoch.nodes.values_mut() {
            if node.expiry.is_some_and(|expiry| expiry <= now && epoch.grace_until <= now) {
                node.expiry = None;
            }
        }
    }
}

impl StubEpoch {
    fn view(&self) -> ClusterView {
        let (live, expired): (Vec<_>, Vec<_>) = self.nodes.iter().partition(|(_, node)| node.is_live());
        let peers =
            |nodes: &[(&u64, &StubNode)]| nodes.iter().map(|(lease, node)| node.peer(**lease, self.begun)).collect();
        let uncertain_for = self.uncertain_until.checked_duration_since(Instant::now());
        ClusterView {
            epoch: self.id,
            live: peers(&live),
            expired: peers(&expired),
            groups: live.iter().map(|(_, node)| node.groups).sum(),
            uncertain_for: uncertain_for.filter(|left| !left.is_zero()),
            next_leave: self.next_leave(),
        }
    }

    fn next_leave(&self) -> Option<Duration> {
        self.presence.next_due().map(|due| due.saturating_duration_since(Instant::now()))
    }

    fn apply(&mut self, lease: &WriteLease, change: Change, messages: &mut Messages) -> Option<ChangeOutcome> {
        let is_uncertain = Instant::now() < self.uncertain_until;
        let other_groups: usize = self.others(lease.lease).map(|node| node.groups).sum();
        let node = self.nodes.get_mut(&lease.lease)?;
        match change {
            Change::Admit(_) if is_uncertain => return Some(ChangeOutcome::Uncertain),
            Change::Admit(admission) => return self.admit(lease, &admission),
            Change::ForceAdmit(admission) => node.admitted.force_admit(&admission),
            Change::Release(admission) if node.admitted.of_user(&admission.user) == 0 => {}
            Change::Release(admission) => node.admitted.release(&admission),
            Change::UserConnections(user, count) => node.admitted.set_user(user, count),
            Change::IpConnections(ip, count) => node.admitted.set_ip(ip, count),
            Change::GroupMembers(group, 0) => drop(node.members.remove(&group)),
            Change::GroupMembers(group, count) => drop(node.members.insert(group, count)),
            Change::GroupQuota { wanted, needed } => {
                let free = if is_uncertain { node.groups } else { lease.limits.groups.saturating_sub(other_groups) };
                node.groups = needed.max(wanted.min(free));
                let is_short = is_uncertain && node.groups < wanted;
                return Some(match is_short {
                    true => ChangeOutcome::Uncertain,
                    false => ChangeOutcome::GroupQuota(node.groups),
                });
            }
            Change::Enter(EnterPresence { group, user, joined, left, is_replay }) => {
                node.present.insert((group.clone(), user.clone()));
                let presence = Presence { group, user, connection: connection_of(lease.lease), joined, left };
                let message = self.presence.enter(presence);
                messages.extend(message.filter(|_| !(is_replay && is_uncertain)).map(to_channel));
            }
            Change::Exit { group, user, lost } => messages.extend(self.exit(lease.lease, group, user, lost)),
        }
        Some(ChangeOutcome::Done)
    }

    /// Admits a connection if the limits, less what the other live nodes have, permit it.
    fn admit(&mut self, lease: &WriteLease, admission: &Admission) -> Option<ChangeOutcome> {
        let others = || self.others(lease.lease).map(|node| &node.admitted);
        let elsewhere: usize = others().map(|admitted| admitted.of_user(&admission.user)).sum();
        let total: usize = others().map(AdmissionTable::connections).sum();
        let of_ip: usize = admission.ip.map_or(0, |ip| others().map(|admitted| admitted.of_ip(ip)).sum());
        let limits = AdmissionLimits {
            total: lease.limits.total.saturating_sub(total),
            per_user: lease.limits.per_user.saturating_sub(elsewhere),
            per_ip: lease.limits.per_ip.saturating_sub(of_ip),
            groups: lease.limits.groups,
        };
        let admitted = &mut self.nodes.get_mut(&lease.lease)?.admitted;
        Some(match admitted.admit(&limits, admission) {
            Ok(()) => ChangeOutcome::Admitted(elsewhere + admitted.of_user(&admission.user)),
            Err(refused) => ChangeOutcome::Refused(refused),
        })
    }

    fn exit(&mut self, lease: u64, group: GroupName, user: UserId, lost: bool) -> Option<(Channel, Bytes)> {
        let key = (group, user);
        if !self.nodes.get_mut(&lease)?.present.remove(&key) {
            return None;
        }
        let exit = PresenceExit { group: &key.0, user: &key.1, connection: connection_of(lease), lost };
        self.presence.exit(&exit, Instant::now()).map(to_channel)
    }

    fn others(&self, lease: u64) -> impl Iterator<Item = &StubNode> {
        self.nodes.iter().filter(move |(other, node)| **other != lease && node.is_live()).map(|(_, node)| node)
    }
}

impl StubNode {
    fn is_live(&self) -> bool {
        self.expiry.is_some()
    }

    fn peer(&self, lease: u64, begun: Instant) -> Peer {
        let connections = self.admitted.connections();
        let expiry = self.expiry.map_or(Duration::ZERO, |expiry| expiry - begun);
        Peer { lease, node: self.node.clone(), incarnation: self.incarnation, connections, expiry }
    }
}

/// Returns the connection that stands for a lease in the presence table.
fn connection_of(lease: u64) -> ConnectionId {
    ConnectionId { incarnation: lease, serial: 0 }
}

fn to_channel(message: OutboundMessage) -> (Channel, Bytes) {
    (Channel::of(&message.to), message.envelope())
}
