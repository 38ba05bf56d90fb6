//! What the scripts of the registry are given, and what their answers mean.

use std::time::Duration;

use redis::{Cmd, ErrorKind, Script, ToRedisArgs};

use super::super::{Change, ChangeOutcome, ClusterView, JoinRequest, Peer, WriteLease};
use super::connection::failed;
use super::context::DriverContext;
use crate::backend::Refused;
use crate::backend::redis::keys::{Channel, Keyspace};
use crate::error::Result;
use crate::id::NodeId;

/// One call of a script.
pub(super) struct ScriptCall<'a> {
    pub(super) script: &'a Script,
    pub(super) command: Cmd,
}

impl<'a> ScriptCall<'a> {
    /// What each script of the registry is given first.
    pub(super) fn new(script: &'a Script, shared: &DriverContext, run: &str) -> Self {
        let times = shared.times;
        let call = Self::over(script, &[shared.names.registry()]);
        call.with(times.lease).with(times.registry).with(times.presence).with(times.grace).with(run)
    }

    /// A call over keys, without an argument.
    pub(super) fn over(script: &'a Script, keys: &[String]) -> Self {
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

/// Fills in what `join` needs.
pub(super) fn join<'a>(call: ScriptCall<'a>, joining: &JoinRequest) -> ScriptCall<'a> {
    let call = call.with(joining.lease).with(joining.node.as_str()).with(joining.origin);
    let call = call.with(joining.places).with(joining.groups).with(joining.number);
    match joining.before {
        Some(epoch) => call.with(epoch),
        None => call.with(""),
    }
}

/// Fills in what `write` needs.
pub(super) fn write<'a>(
    call: ScriptCall<'a>,
    writer: &WriteLease,
    changes: &[Change],
    names: &Keyspace,
) -> ScriptCall<'a> {
    let limits = &writer.limits;
    let mut call = call.with(writer.lease).with(writer.epoch);
    call = call.with(limits.total).with(limits.per_user).with(limits.per_ip).with(limits.groups);
    call = call.with(u8::from(changes.iter().all(needs_memory)));
    for change in changes {
        let command = &mut call.command;
        match change {
            Change::Admit(user, ip) => {
                command.arg("A").arg(user.as_str()).arg(ip.map(|ip| ip.to_string()).unwrap_or_default())
            }
            Change::Take(user, ip) => {
                command.arg("T").arg(user.as_str()).arg(ip.map(|ip| ip.to_string()).unwrap_or_default())
            }
            Change::Release(user, ip) => {
                command.arg("R").arg(user.as_str()).arg(ip.map(|ip| ip.to_string()).unwrap_or_default())
            }
            Change::Places(user, count) => command.arg("P").arg(user.as_str()).arg(*count),
            Change::PlacesOf(ip, count) => command.arg("I").arg(ip.to_string()).arg(*count),
            Change::Groups { wanted, needed } => command.arg("G").arg(*wanted).arg(*needed),
            Change::Members(group, count) => command.arg("M").arg(group.as_str()).arg(*count),
            Change::Enter(entering) => {
                let channel = names.channel(&Channel::Group(entering.group.clone()));
                command.arg("E").arg(channel).arg(entering.user.as_str());
                command.arg(&*entering.joined).arg(&*entering.left).arg(u8::from(entering.again))
            }
            Change::Exit { group, user, lost } => {
                let channel = names.channel(&Channel::Group(group.clone()));
                command.arg("X").arg(channel).arg(user.as_str()).arg(u8::from(*lost))
            }
        };
    }
    call
}

/// What gives something back must succeed when the memory of Redis is full, and with it what is written in the same step.
fn needs_memory(change: &Change) -> bool {
    match change {
        Change::Admit(..) | Change::Take(..) | Change::Enter(_) => true,
        Change::Places(_, count) | Change::PlacesOf(_, count) | Change::Members(_, count) => *count > 0,
        Change::Release(..) | Change::Groups { .. } | Change::Exit { .. } => false,
    }
}

/// What became of changes: `write` answers with a number for each.
pub(super) fn outcomes<'a>(changes: &'a [Change], numbers: &'a [i64]) -> impl Iterator<Item = ChangeOutcome> + 'a {
    changes.iter().zip(numbers).map(|(change, &number)| match (change, number) {
        (Change::Admit(..), -1) => ChangeOutcome::Refused(Refused::Total),
        (Change::Admit(..), -2) => ChangeOutcome::Refused(Refused::User),
        (Change::Admit(..), -3) => ChangeOutcome::Refused(Refused::Ip),
        (Change::Admit(..) | Change::Groups { .. }, ..0) => ChangeOutcome::Uncertain,
        (Change::Admit(..), places) => ChangeOutcome::Admitted(usize::try_from(places).unwrap_or(0)),
        (Change::Groups { .. }, groups) => ChangeOutcome::Groups(usize::try_from(groups).unwrap_or(0)),
        _ => ChangeOutcome::Done,
    })
}

/// A lease, the node, its origin, its places.
type RawPeer = (u64, String, u64, usize);

/// A view as `join` and `renew` answer it.
pub(super) type RawView = (u64, Vec<RawPeer>, Vec<RawPeer>, usize, i64, i64);

/// Reads a view.
pub(super) fn view((epoch, live, ended, groups, unsure, next_left): RawView) -> Result<ClusterView> {
    let (live, ended) = (peers(live)?, peers(ended)?);
    Ok(ClusterView { epoch, live, ended, groups, unsure: after(unsure), next_left: after(next_left) })
}

fn peers(raw: Vec<RawPeer>) -> Result<Vec<Peer>> {
    let named = |name: String| {
        let read = NodeId::new(name);
        read.map_err(|error| failed((ErrorKind::UnexpectedReturnType, "a node's name", error.to_string())))
    };
    let peer = |(lease, node, origin, places)| Ok(Peer { lease, node: named(node)?, origin, places });
    raw.into_iter().map(peer).collect()
}

/// Reads milliseconds, of which fewer than none say that there is nothing.
pub(super) fn after(millis: i64) -> Option<Duration> {
    u64::try_from(millis).ok().map(Duration::from_millis)
}
