//! The link for commands.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use redis::{Cmd, FromRedisValue, Pipeline, Script};

use super::super::{Change, ChangeOutcome, ClusterView, Commands, JoinRequest, WriteLease, overtaken};
use super::connection::{RedisConnection, failed};
use super::context::DriverContext;
use super::rate_script;
use super::script_args::{self, ScriptCall};
use crate::backend::redis::keys::Channel;
use crate::backend::{Async, Quota, RateDecision};
use crate::error::{Error, Result};
use crate::id::{GroupName, UserId};

/// So much work goes into one call of a script, in numbers that are written: some 8 ms in which Redis does nothing else.
const STEP: usize = 3_000;

/// So many groups are counted in one call.
const GROUPS: usize = 256;

/// The link for commands.
pub(super) struct RealCommands {
    inner: Arc<CommandConnection>,
}

pub(super) struct CommandConnection {
    link: RedisConnection,
    shared: Arc<DriverContext>,
    /// Which run of the server this is; empty when it did not say.
    run: String,
}

impl RealCommands {
    pub(super) fn new(link: RedisConnection, shared: Arc<DriverContext>, run: String) -> Self {
        Self { inner: Arc::new(CommandConnection { link, shared, run }) }
    }

    /// Something that is done on the link.
    fn does<T, F>(&self, doing: impl FnOnce(Arc<CommandConnection>) -> F) -> Async<'static, Result<T>>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        Box::pin(doing(self.inner.clone()))
    }
}

impl CommandConnection {
    /// A call of one of the registry's scripts.
    fn call<'a>(&self, script: &'a Script) -> ScriptCall<'a> {
        ScriptCall::new(script, &self.shared, &self.run)
    }

    async fn run<T: FromRedisValue>(&self, call: ScriptCall<'_>) -> Result<T> {
        let answer = self.link.run(call.script, &call.command).await?;
        redis::from_redis_value(answer).map_err(failed)
    }

    async fn publish(&self, messages: Vec<(Channel, Bytes)>) -> Result<()> {
        let mut commands = Pipeline::with_capacity(messages.len());
        for (channel, payload) in &messages {
            let channel = self.shared.names.channel(channel);
            let mut command = Cmd::with_capacity(3, "PUBLISH".len() + channel.len() + payload.len());
            command.arg("PUBLISH").arg(channel).arg(&**payload);
            commands.add_command(command);
        }
        drop(messages);
        if commands.is_empty() {
            return Ok(());
        }
        for answer in self.link.call_all(&commands).await? {
            answer.extract_error().map_err(failed)?;
        }
        Ok(())
    }

    async fn write(&self, writer: WriteLease, changes: &[Change]) -> Result<Option<Vec<ChangeOutcome>>> {
        let mut outcomes = Vec::with_capacity(changes.len());
        // Whoever is fenced stays so, and a step that follows would be too: a writer is told so, whatever was done before.
        for some in steps(changes) {
            let call = script_args::write(self.call(&self.shared.scripts.write), &writer, some, &self.shared.names);
            let written = self.run::<Option<Vec<i64>>>(call).await;
            match written.map_err(|error| if outcomes.is_empty() { error } else { in_part(&error) })? {
                Some(numbers) => outcomes.extend(script_args::outcomes(some, &numbers)),
                None => return Ok(None),
            }
        }
        Ok(Some(outcomes))
    }

    async fn remove(&self, lease: u64, own: bool) -> Result<()> {
        let mut next = Some(("p".to_owned(), "0".to_owned()));
        while let Some((what, cursor)) = next {
            let call = self.call(&self.shared.scripts.remove);
            next = self.run(call.with(lease).with(u8::from(own)).with(what).with(cursor)).await?;
        }
        Ok(())
    }

    async fn count(&self, script: &Script, names: Vec<String>) -> Result<Vec<usize>> {
        let mut counts = Vec::with_capacity(names.len());
        for some in names.chunks(GROUPS) {
            let call = some.iter().fold(self.call(script), |call, name| call.with(name));
            counts.extend(self.run::<Vec<usize>>(call).await?);
        }
        Ok(counts)
    }

    async fn take(&self, subject: &str, quotas: &[Quota], cost: u32) -> Result<RateDecision> {
        if quotas.iter().any(|quota| cost > quota.messages) {
            return Ok(RateDecision::Refused { retry_after: None });
        }
        if quotas.is_empty() {
            return Ok(RateDecision::Passed);
        }
        let call = rate_script::call(&self.shared.scripts.take, &self.shared.names.rate(subject), quotas, cost);
        self.run(call).await.map(rate_script::decision)
    }
}

impl Commands for RealCommands {
    fn publish(&self, messages: Vec<(Channel, Bytes)>) -> Async<'static, Result<()>> {
        self.does(|inner| async move { inner.publish(messages).await })
    }

    fn ping(&self) -> Async<'static, Result<()>> {
        self.does(|inner| async move { inner.link.ping().await })
    }

    fn join(&self, joining: JoinRequest) -> Async<'static, Result<ClusterView>> {
        self.does(|inner| async move {
            let call = script_args::join(inner.call(&inner.shared.scripts.join), &joining);
            let view: Option<script_args::RawView> = inner.run(call).await?;
            view.map_or_else(|| Err(overtaken()), script_args::view)
        })
    }

    fn renew(&self, writer: WriteLease) -> Async<'static, Result<Option<ClusterView>>> {
        self.does(move |inner| async move {
            let call = inner.call(&inner.shared.scripts.renew).with(writer.lease).with(writer.epoch);
            let view: Option<script_args::RawView> = inner.run(call).await?;
            view.map(script_args::view).transpose()
        })
    }

    fn write(&self, writer: WriteLease, changes: Arc<[Change]>) -> Async<'static, Result<Option<Vec<ChangeOutcome>>>> {
        self.does(move |inner| async move { inner.write(writer, &changes).await })
    }

    fn remove(&self, lease: u64, own: bool) -> Async<'static, Result<()>> {
        self.does(move |inner| async move { inner.remove(lease, own).await })
    }

    fn announce_left(&self) -> Async<'static, Result<Option<Duration>>> {
        self.does(|inner| async move {
            loop {
                let next: i64 = inner.run(inner.call(&inner.shared.scripts.announce_left)).await?;
                // More were due than one step takes.
                if next != 0 {
                    return Ok(script_args::after(next));
                }
            }
        })
    }

    fn members(&self, groups: Vec<GroupName>) -> Async<'static, Result<Vec<usize>>> {
        self.does(|inner| async move {
            let names = groups.iter().map(|group| group.as_str().to_owned()).collect();
            inner.count(&inner.shared.scripts.members, names).await
        })
    }

    fn present(&self, groups: Vec<GroupName>) -> Async<'static, Result<Vec<usize>>> {
        self.does(|inner| async move {
            let names = groups.into_iter().map(|group| inner.shared.names.channel(&Channel::Group(group))).collect();
            inner.count(&inner.shared.scripts.present, names).await
        })
    }

    fn users(&self) -> Async<'static, Result<usize>> {
        self.does(|inner| async move { inner.run(inner.call(&inner.shared.scripts.users)).await })
    }

    fn has_user(&self, user: UserId) -> Async<'static, Result<bool>> {
        self.does(move |inner| async move {
            inner.run(inner.call(&inner.shared.scripts.has_user).with(user.as_str())).await
        })
    }

    fn take(&self, subject: String, quotas: Vec<Quota>, cost: u32) -> Async<'static, Result<RateDecision>> {
        self.does(move |inner| async move { inner.take(&subject, &quotas, cost).await })
    }
}

/// A step was refused, and earlier ones were not.
fn in_part(error: &Error) -> Error {
    Error::backend("the registry in Redis was written in part").with_source(format!("{error:?}"))
}

/// Parts of what is to be changed that are short enough, in order.
fn steps(mut changes: &[Change]) -> impl Iterator<Item = &[Change]> {
    std::iter::from_fn(move || {
        let mut work = 0;
        let too_much = |change: &Change| {
            work += match change {
                Change::Members(..) | Change::Places(..) | Change::PlacesOf(..) | Change::Groups { .. } => 1,
                _ => 3,
            };
            work > STEP
        };
        let count = changes.iter().position(too_much).unwrap_or(changes.len());
        let (step, rest) = changes.split_at_checked(count).filter(|(step, _)| !step.is_empty())?;
        changes = rest;
        Some(step)
    })
}
