//! The link for commands.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;

use super::super::{Change, ChangeOutcome, ClusterView, Commands, JoinRequest, WriteLease, overtaken};
use super::{StubServer, StubState};
use crate::backend::redis::keys::Channel;
use crate::backend::{Async, Quota, RateDecision, RateRequest, Subject};
use crate::error::{Error, Result};
use crate::id::{GroupName, UserId};

/// The link for commands.
pub(super) struct StubCommands {
    redis: StubServer,
    /// Once it has failed.
    dead: Arc<AtomicBool>,
}

impl StubCommands {
    pub(super) fn new(redis: StubServer) -> Self {
        Self { redis, dead: Arc::default() }
    }

    fn step<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut StubState) -> T + Send + 'static,
    ) -> Async<'static, Result<T>> {
        let (redis, dead) = (self.redis.clone(), self.dead.clone());
        Box::pin(async move {
            if dead.load(Ordering::Acquire) {
                return Err(Error::backend("the backend does not answer"));
            }
            redis.step(step).await.inspect_err(|_| dead.store(true, Ordering::Release))
        })
    }
}

impl Commands for StubCommands {
    fn publish(&self, messages: Vec<(Channel, Bytes)>) -> Async<'static, Result<()>> {
        self.step(|state| state.publish(messages))
    }

    fn ping(&self) -> Async<'static, Result<()>> {
        self.step(|_| ())
    }

    fn join(&self, joining: JoinRequest) -> Async<'static, Result<ClusterView>> {
        let joined = self.step(|state| state.registry.join(joining));
        Box::pin(async move { joined.await?.ok_or_else(overtaken) })
    }

    fn renew(&self, writer: WriteLease) -> Async<'static, Result<Option<ClusterView>>> {
        self.step(move |state| state.registry.renew(&writer))
    }

    fn write(&self, writer: WriteLease, changes: Arc<[Change]>) -> Async<'static, Result<Option<Vec<ChangeOutcome>>>> {
        self.step(move |state| {
            let (outcomes, messages) = state.registry.write(&writer, changes.to_vec())?;
            state.publish(messages);
            Some(outcomes)
        })
    }

    fn remove(&self, lease: u64, own: bool) -> Async<'static, Result<()>> {
        let next = move |commands: &Self| {
            commands.step(move |state| {
                let (more, messages) = state.registry.remove(lease, own);
                state.publish(messages);
                more
            })
        };
        let commands = Self { redis: self.redis.clone(), dead: self.dead.clone() };
        Box::pin(async move {
            while next(&commands).await? {}
            Ok(())
        })
    }

    fn announce_left(&self) -> Async<'static, Result<Option<Duration>>> {
        self.step(|state| {
            let (messages, next) = state.registry.announce_left();
            state.publish(messages);
            next
        })
    }

    fn members(&self, groups: Vec<GroupName>) -> Async<'static, Result<Vec<usize>>> {
        self.step(move |state| state.registry.members(&groups))
    }

    fn present(&self, groups: Vec<GroupName>) -> Async<'static, Result<Vec<usize>>> {
        self.step(move |state| state.registry.present(&groups))
    }

    fn users(&self) -> Async<'static, Result<usize>> {
        self.step(|state| state.registry.users())
    }

    fn has_user(&self, user: UserId) -> Async<'static, Result<bool>> {
        self.step(move |state| state.registry.has_user(&user))
    }

    fn take(&self, subject: String, quotas: Vec<Quota>, cost: u32) -> Async<'static, Result<RateDecision>> {
        self.step(move |state| {
            let subject = Subject::Key(subject.into());
            let ask = RateRequest { subject: &subject, quotas: &quotas, cost };
            state.rates.check(&ask, tokio::time::Instant::now())
        })
    }
}
