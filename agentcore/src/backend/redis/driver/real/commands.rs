//! The command connection.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use redis::{Cmd, FromRedisValue, Pipeline, Script};

use super::super::refusal::overtaken;
use super::super::{Change, ChangeOutcome, ClusterView, Commands, JoinRequest, WriteLease};
use super::connection::{RedisConnection, failed};
use super::context::DriverContext;
use super::rate_script;
use super::script_args::{self, RawView, ScriptCall};
use super::{repair, trial};
use crate::backend::redis::keys::Channel;
use crate::backend::{Async, Quota, RateDecision};
use crate::error::{Error, Result};
use crate::id::{GroupName, UserId};

/// Limit of work in one call of `write`, in numbers written. Redis runs nothing else for about 8 ms meanwhile.
const MAX_WORK: usize = 3_000;

/// Limit of groups that are counted in one call.
const MAX_GROUPS: usize = 256;

/// The command connection to a server.
pub(super) struct RealCommands {
    connection: Arc<CommandConnection>,
}

impl RealCommands {
    pub(super) fn new(connection: RedisConnection, context: Arc<DriverContext>, run_id: Option<String>) -> Self {
        Self { connection: Arc::new(CommandConnection { connection, context, run_id }) }
    }

    /// Returns a future that owns what it needs of the connection.
    fn run<T, F>(&self, operation: impl FnOnce(Arc<CommandConnection>) -> F) -> Async<'static, Result<T>>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        Box::pin(operation(self.connection.clone()))
    }
}

impl Commands for RealCommands {
    fn run_id(&self) -> Option<&str> {
        self.connection.run_id.as_deref()
    }

    fn try_commands(&self) -> Async<'static, Result<()>> {
        self.run(|connection| async move { trial::run(&connection.connection, &connection.context).await })
    }

    fn publish(&self, messages: Vec<(Channel, Bytes)>) -> Async<'static, Result<()>> {
        self.run(|connection| async move { connection.publish(messages).await })
    }

    fn ping(&self) -> Async<'static, Result<()>> {
        self.run(|connection| async move { connection.connection.ping().await })
    }

    fn join(&self, request: JoinRequest) -> Async<'static, Result<ClusterView>> {
        self.run(|connection| async move {
            let call = script_args::join(connection.call(&connection.context.scripts.join), &request);
            let view: Option<RawView> = connection.run(call).await?;
            view.map_or_else(|| Err(overtaken()), script_args::view)
        })
    }

    fn renew(&self, lease: WriteLease) -> Async<'static, Result<Option<ClusterView>>> {
        self.run(move |connection| async move {
            let call = connection.call(&connection.context.scripts.renew).with(lease.lease).with(lease.epoch);
            let view: Option<RawView> = connection.run(call).await?;
            view.map(script_args::view).transpose()
        })
    }

    fn write(&self, lease: WriteLease, changes: Arc<[Change]>) -> Async<'static, Result<Option<Vec<ChangeOutcome>>>> {
        self.run(move |connection| async move { connection.write(lease, &changes).await })
    }

    fn remove(&self, lease: u64, own: bool) -> Async<'static, Result<()>> {
        self.run(move |connection| async move { connection.remove(lease, own).await })
    }

    fn announce_left(&self) -> Async<'static, Result<Option<Duration>>> {
        self.run(|connection| async move {
            loop {
                let next: i64 = connection.run(connection.call(&connection.context.scripts.announce_left)).await?;
                // Zero: more messages are due than one call publishes.
                if next != 0 {
                    return Ok(script_args::optional_duration(next));
                }
            }
        })
    }

    fn member_counts(&self, groups: Vec<GroupName>) -> Async<'static, Result<Vec<usize>>> {
        self.run(|connection| async move {
            let names = groups.iter().map(|group| group.as_str().to_owned()).collect();
            connection.count(&connection.context.scripts.member_counts, names).await
        })
    }

    fn present_counts(&self, groups: Vec<GroupName>) -> Async<'static, Result<Vec<usize>>> {
        self.run(|connection| async move {
            let keyspace = &connection.context.keyspace;
            let names = groups.into_iter().map(|group| keyspace.channel(&Channel::Group(group))).collect();
            connection.count(&connection.context.scripts.present_counts, names).await
        })
    }

    fn user_count(&self) -> Async<'static, Result<usize>> {
        self.run(
            |connection| async move { connection.run(connection.call(&connection.context.scripts.user_count)).await },
        )
    }

    fn has_user(&self, user: UserId) -> Async<'static, Result<bool>> {
        self.run(move |connection| async move {
            connection.run(connection.call(&connection.context.scripts.has_user).with(user.as_str())).await
        })
    }

    fn check_rate(&self, subject: String, quotas: Vec<Quota>, cost: u32) -> Async<'static, Result<RateDecision>> {
        self.run(move |connection| async move { connection.check_rate(&subject, &quotas, cost).await })
    }
}

struct CommandConnection {
    connection: RedisConnection,
    context: Arc<DriverContext>,
    run_id: Option<String>,
}

impl CommandConnection {
    /// Returns a call of a registry script.
    fn call<'a>(&self, script: &'a Script) -> ScriptCall<'a> {
        ScriptCall::of_registry(script, &self.context, self.run_id.as_deref().unwrap_or_default())
    }

    /// Calls a registry script. Repairs the registry when the script cannot read a key.
    async fn run<T: FromRedisValue>(&self, call: ScriptCall<'_>) -> Result<T> {
        let context = &self.context;
        let repair = || ScriptCall::new(&context.scripts.repair_registry, &[context.keyspace.registry_prefix()]);
        self.run_or_repair(call, repair).await
    }

    async fn run_or_repair<'a, T: FromRedisValue>(
        &self,
        call: ScriptCall<'_>,
        repair: impl FnOnce() -> ScriptCall<'a>,
    ) -> Result<T> {
        let mut reply = self.connection.run(call.script, &call.command).await;
        if reply.as_ref().is_err_and(repair::is_needed) {
            repair::run(&self.connection, repair()).await?;
            reply = self.connection.run(call.script, &call.command).await;
        }
        redis::from_redis_value(reply?).map_err(failed)
    }

    async fn publish(&self, messages: Vec<(Channel, Bytes)>) -> Result<()> {
        let mut commands = Pipeline::with_capacity(messages.len());
        for (channel, payload) in &messages {
            let channel = self.context.keyspace.channel(channel);
            let mut command = Cmd::with_capacity(3, "PUBLISH".len() + channel.len() + payload.len());
            command.arg("PUBLISH").arg(channel).arg(&**payload);
            commands.add_command(command);
        }
        drop(messages);
        if commands.is_empty() {
            return Ok(());
        }
        for reply in self.connection.call_all(&commands).await? {
            reply.extract_error().map_err(failed)?;
        }
        Ok(())
    }

    async fn write(&self, lease: WriteLease, changes: &[Change]) -> Result<Option<Vec<ChangeOutcome>>> {
        let mut outcomes = Vec::with_capacity(changes.len());
        for step in steps(changes) {
            let call = self.call(&self.context.scripts.write);
            let call = script_args::write(call, &lease, step, &self.context.keyspace);
            let written = self.run::<Option<Vec<i64>>>(call).await;
            match written.map_err(|error| if outcomes.is_empty() { error } else { written_in_part(&error) })? {
                Some(numbers) => outcomes.extend(script_args::outcomes(step, &numbers)),
                None => return Ok(None),
            }
        }
        Ok(Some(outcomes))
    }

    async fn remove(&self, lease: u64, own: bool) -> Result<()> {
        let mut next = Some(("p".to_owned(), "0".to_owned()));
        while let Some((kind, cursor)) = next {
            let call = self.call(&self.context.scripts.remove);
            next = self.run(call.with(lease).with(u8::from(own)).with(kind).with(cursor)).await?;
        }
        Ok(())
    }

    async fn count(&self, script: &Script, names: Vec<String>) -> Result<Vec<usize>> {
        let mut counts = Vec::with_capacity(names.len());
        for chunk in names.chunks(MAX_GROUPS) {
            let call = chunk.iter().fold(self.call(script), |call, name| call.with(name));
            counts.extend(self.run::<Vec<usize>>(call).await?);
        }
        Ok(counts)
    }

    async fn check_rate(&self, subject: &str, quotas: &[Quota], cost: u32) -> Result<RateDecision> {
        if quotas.iter().any(|quota| cost > quota.messages) {
            return Ok(RateDecision::Refused { retry_after: None });
        }
        if quotas.is_empty() {
            return Ok(RateDecision::Passed);
        }
        let prefix = self.context.keyspace.rate_prefix(subject);
        let call = rate_script::call(&self.context.scripts.rate, &prefix, quotas, cost);
        let repair = || rate_script::repair(&self.context.scripts.repair_rates, &prefix, quotas);
        self.run_or_repair(call, repair).await.map(rate_script::decision)
    }
}

/// Returns the error for a step that was refused after earlier steps were done. It is no
/// [refusal](super::super::refusal): something was written.
fn written_in_part(error: &Error) -> Error {
    Error::backend("the registry in Redis was written in part").with_source(format!("{error:?}"))
}

/// Splits changes into parts of at most [`MAX_WORK`], in order.
fn steps(mut changes: &[Change]) -> impl Iterator<Item = &[Change]> {
    std::iter::from_fn(move || {
        let mut work = 0;
        let exceeds_limit = |change: &Change| {
            work += match change {
                Change::GroupMembers(..)
                | Change::UserConnections(..)
                | Change::IpConnections(..)
                | Change::GroupQuota { .. } => 1,
                _ => 3,
            };
            work > MAX_WORK
        };
        let count = changes.iter().position(exceeds_limit).unwrap_or(changes.len());
        let (step, rest) = changes.split_at_checked(count).filter(|(step, _)| !step.is_empty())?;
        changes = rest;
        Some(step)
    })
}
