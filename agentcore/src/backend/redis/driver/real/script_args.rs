//! The arguments of the registry scripts, and the meaning of their replies.

use std::time::Duration;

use redis::{Cmd, ErrorKind, Script, ToRedisArgs};

use super::super::{Change, ChangeOutcome, ClusterView, JoinRequest, Peer, WriteLease};
use super::connection::failed;
use super::context::DriverContext;
use crate::backend::redis::keys::{Channel, Keyspace};
use crate::backend::{Admission, Refused};
use crate::error::Result;
use crate::id::NodeId;

/// A call of a script.
pub(super) struct ScriptCall<'a> {
    pub(super) script: &'a Script,
    pub(super) command: Cmd,
}

impl<'a> ScriptCall<'a> {
    /// Returns a call with the arguments that every registry script gets first.
    pub(super) fn of_registry(script: &'a Script, context: &DriverContext, run_id: &str) -> Self {
        let times = context.times;
        let call = Self::new(script, &[context.keyspace.registry_prefix()]);
        call.with(times.lease).with(times.registry_expiry).with(times.presence_expiry).with(times.grace).with(run_id)
    }

    /// Returns a call with keys and no arguments.
    pub(super) fn new(script: &'a Script, keys: &[String]) -> Self {
        let mut command = redis::cmd("EVALSHA");
        command.arg(script.get_hash()).arg(keys.len()).arg(keys);
        Self { script, command }
    }

    /// Adds an argument.
    pub(super) fn with(mut self, argument: impl ToRedisArgs) -> Self {
        self.command.arg(argument);
        self
    }
}

/// Adds the arguments of `join`.
pub(super) fn join<'a>(call: ScriptCall<'a>, request: &JoinRequest) -> ScriptCall<'a> {
    let call = call.with(request.lease).with(request.node.as_str()).with(request.incarnation);
    let call = call.with(request.connections).with(request.groups).with(request.attempt);
    match request.previous_epoch {
        Some(epoch) => call.with(epoch),
        None => call.with(""),
    }
}

/// Adds the arguments of `write`.
pub(super) fn write<'a>(
    call: ScriptCall<'a>,
    lease: &WriteLease,
    changes: &[Change],
    keyspace: &Keyspace,
) -> ScriptCall<'a> {
    let limits = &lease.limits;
    let mut call = call.with(lease.lease).with(lease.epoch);
    call = call.with(limits.total).with(limits.per_user).with(limits.per_ip).with(limits.groups);
    call = call.with(u8::from(changes.iter().all(needs_memory)));
    for change in changes {
        let command = &mut call.command;
        match change {
            Change::Admit(admission) => put_admission(command, "A", admission),
            Change::ForceAdmit(admission) => put_admission(command, "T", admission),
            Change::Release(admission) => put_admission(command, "R", admission),
            Change::UserConnections(user, count) => command.arg("P").arg(user.as_str()).arg(*count),
            Change::IpConnections(ip, count) => command.arg("I").arg(ip.to_string()).arg(*count),
            Change::GroupQuota { wanted, needed } => command.arg("G").arg(*wanted).arg(*needed),
            Change::GroupMembers(group, count) => command.arg("M").arg(group.as_str()).arg(*count),
            Change::Enter(presence) => {
                let channel = keyspace.channel(&Channel::Group(presence.group.clone()));
                command.arg("E").arg(channel).arg(presence.user.as_str());
                command.arg(&*presence.joined).arg(&*presence.left).arg(u8::from(presence.is_replay))
            }
            Change::Exit { group, user, lost } => {
                let channel = keyspace.channel(&Channel::Group(group.clone()));
                command.arg("X").arg(channel).arg(user.as_str()).arg(u8::from(*lost))
            }
        };
    }
    call
}

fn put_admission<'a>(command: &'a mut Cmd, kind: &str, admission: &Admission) -> &'a mut Cmd {
    let ip = admission.ip.map(|ip| ip.to_string()).unwrap_or_default();
    command.arg(kind).arg(admission.user.as_str()).arg(ip)
}

/// Returns whether a change may fail when the memory of Redis is full. A change that releases something must succeed
/// then, and with it all changes of the same step.
fn needs_memory(change: &Change) -> bool {
    match change {
        Change::Admit(_) | Change::ForceAdmit(_) | Change::Enter(_) => true,
        Change::UserConnections(_, count) | Change::IpConnections(_, count) | Change::GroupMembers(_, count) => {
            *count > 0
        }
        Change::Release(_) | Change::GroupQuota { .. } | Change::Exit { .. } => false,
    }
}

/// Returns the outcomes of changes, from the number that `write` returns for each.
pub(super) fn outcomes<'a>(changes: &'a [Change], numbers: &'a [i64]) -> impl Iterator<Item = ChangeOutcome> + 'a {
    changes.iter().zip(numbers).map(|(change, &number)| match (change, number) {
        (Change::Admit(_), -1) => ChangeOutcome::Refused(Refused::Total),
        (Change::Admit(_), -2) => ChangeOutcome::Refused(Refused::User),
        (Change::Admit(_), -3) => ChangeOutcome::Refused(Refused::Ip),
        (Change::Admit(_) | Change::GroupQuota { .. }, ..0) => ChangeOutcome::Uncertain,
        (Change::Admit(_), connections) => ChangeOutcome::Admitted(usize::try_from(connections).unwrap_or(0)),
        (Change::GroupQuota { .. }, groups) => ChangeOutcome::GroupQuota(usize::try_from(groups).unwrap_or(0)),
        _ => ChangeOutcome::Done,
    })
}

/// Lease, node, incarnation, connections, expiry in milliseconds.
type RawPeer = (u64, String, u64, usize, u64);

/// A view as `join` and `renew` return it.
pub(super) type RawView = (u64, Vec<RawPeer>, Vec<RawPeer>, usize, i64, i64);

/// Reads a view.
///
/// # Errors
/// When the name of a node is invalid.
pub(super) fn view((epoch, live, expired, groups, uncertain, next_leave): RawView) -> Result<ClusterView> {
    Ok(ClusterView {
        epoch,
        live: peers(live)?,
        expired: peers(expired)?,
        groups,
        uncertain_for: optional_duration(uncertain),
        next_leave: optional_duration(next_leave),
    })
}

fn peers(raw: Vec<RawPeer>) -> Result<Vec<Peer>> {
    let node_id = |name: String| {
        NodeId::new(name).map_err(|error| failed((ErrorKind::UnexpectedReturnType, "a node's name", error.to_string())))
    };
    let peer = |(lease, node, incarnation, connections, expiry)| {
        let expiry = Duration::from_millis(expiry);
        Ok(Peer { lease, node: node_id(node)?, incarnation, connections, expiry })
    };
    raw.into_iter().map(peer).collect()
}

/// Reads a time in milliseconds; a negative number means that there is none.
pub(super) fn optional_duration(millis: i64) -> Option<Duration> {
    u64::try_from(millis).ok().map(Duration::from_millis)
}
