//! The command connection to a stub.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::super::refusal::overtaken;
use super::super::{Change, ChangeOutcome, ClusterView, Commands, JoinRequest, WriteLease};
use super::{RUN_ID, StubServer, StubState, unavailable};
use crate::backend::redis::keys::Channel;
use crate::backend::{Async, Quota, RateDecision, RateRequest, Subject};
use crate::error::Result;
use crate::id::{GroupName, UserId};

#[derive(Clone)]
pub(super) struct StubCommands {
    redis: StubServer,
    /// Set when a call has failed; the connection stays dead.
    is_dead: Arc<AtomicBool>,
}

impl StubCommands {
    pub(super) fn new(redis: StubServer) -> Self {
        Self { redis, is_dead: Arc::default() }
    }

    fn step<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut StubState) -> T + Send + 'static,
    ) -> Async<'static, Result<T>> {
        let Self { redis, is_dead } = self.clone();
        Box::pin(async move {
            if is_dead.load(Ordering::Acquire) {
                return Err(unavailable());
            }
            redis.step(step).await.inspect_err(|_| is_dead.store(true, Ordering::Release))
        })
    }
}

impl Commands for StubCommands {
    fn run_id(&self) -> Option<&str> {
        Some(RUN_ID)
    }

    fn try_commands(&self) -> Async<'static, Result<()>> {
        self.step(|_| ())
    }

    fn publish(&self, messages: Vec<(Channel, Bytes)>) -> Async<'static, Result<()>> {
        self.step(|state| state.publish(messages))
    }

    fn ping(&self) -> Async<'static, Result<()>> {
        self.step(|_| ())
    }

    fn join(&self, request: JoinRequest) -> Async<'static, Result<ClusterView>> {
        let joined = self.step(|state| state.registry.join(request));
        Box::pin(async move { joined.await?.ok_or_else(overtaken) })
    }

    fn renew(&self, lease: WriteLease) -> Async<'static, Result<Option<ClusterView>>> {
        self.step(move |state| state.registry.renew(&lease))
    }

    fn write(&self, lease: WriteLease, changes: Arc<[Change]>) -> Async<'static, Result<Option<Vec<ChangeOutcome>>>> {
        self.step(move |state| {
            let (outcomes, messages) = state.registry.write(&lease, changes.to_vec())?;
            state.publish(messages);
            Some(outcomes)
        })
    }

    fn remove(&self, lease: u64, own: bool) -> Async<'static, Result<()>> {
        let commands = self.clone();
        Box::pin(async move {
            loop {
                let removed = commands.step(move |state| {
                    let (has_more, messages) = state.registry.remove(lease, own);
                    state.publish(messages);
                    has_more
                });
                if !removed.await? {
                    return Ok(());
                }
            }
        })
    }

    fn announce_left(&self) -> Async<'static, Result<Option<Duration>>> {
        self.step(|state| {
            let (messages, next) = state.registry.announce_left();
            state.publish(messages);
            next
        })
    }

    fn member_counts(&self, groups: Vec<GroupName>) -> Async<'static, Result<Vec<usize>>> {
        self.step(move |state| state.registry.member_counts(&groups))
    }

    fn present_counts(&self, groups: Vec<GroupName>) -> Async<'static, Result<Vec<usize>>> {
        self.step(move |state| state.registry.present_counts(&groups))
    }

    fn user_count(&self) -> Async<'static, Result<usize>> {
        self.step(|state| state.registry.user_count())
    }

    fn has_user(&self, user: UserId) -> Async<'static, Result<bool>> {
        self.step(move |state| state.registry.has_user(&user))
    }

    fn check_rate(&self, subject: String, quotas: Vec<Quota>, cost: u32) -> Async<'static, Result<RateDecision>> {
        self.step(move |state| {
            let subject = Subject::Key(subject.into());
            state.rates.check(&RateRequest { subject: &subject, quotas: &quotas, cost }, Instant::now())
        })
    }
}
