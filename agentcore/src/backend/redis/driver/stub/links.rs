//! The two links.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::AbortHandle;

use super::super::super::super::{Async, Quota, RateAsk, RateDecision, Subject};
use super::super::super::names::Channel;
use super::super::{Change, Commands, Event, Events, Joining, Outcome, Subscription, View, Writer, overtaken};
use super::post::Inbox;
use super::{State, StubRedis};
use crate::error::{Error, Result};
use crate::id::{GroupName, UserId};

/// The link for commands.
pub(super) struct StubCommands {
    redis: StubRedis,
    /// Once it has failed.
    dead: Arc<AtomicBool>,
}

impl StubCommands {
    pub(super) fn new(redis: StubRedis) -> Self {
        Self { redis, dead: Arc::default() }
    }

    fn step<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut State) -> T + Send + 'static,
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

    fn join(&self, joining: Joining) -> Async<'static, Result<View>> {
        let joined = self.step(|state| state.registry.join(joining));
        Box::pin(async move { joined.await?.ok_or_else(overtaken) })
    }

    fn renew(&self, writer: Writer) -> Async<'static, Result<Option<View>>> {
        self.step(move |state| state.registry.renew(&writer))
    }

    fn write(&self, writer: Writer, changes: Arc<[Change]>) -> Async<'static, Result<Option<Vec<Outcome>>>> {
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
            let ask = RateAsk { subject: &subject, quotas: &quotas, cost };
            state.rates.take(&ask, tokio::time::Instant::now())
        })
    }
}

/// The receiving link.
pub(super) struct StubSubscription {
    redis: StubRedis,
    id: u64,
    receiving: AbortHandle,
}

impl StubSubscription {
    pub(super) fn new(redis: StubRedis, id: u64, inbox: Inbox, events: Events) -> Self {
        let receiving = tokio::spawn(receive(redis.clone(), inbox, events)).abort_handle();
        Self { redis, id, receiving }
    }

    fn step(&self, step: impl FnOnce(&mut State, u64) + Send + 'static) -> Async<'static, Result<()>> {
        let (redis, id) = (self.redis.clone(), self.id);
        Box::pin(async move {
            let there = redis.step(move |state| {
                step(state, id);
                state.post.has(id)
            });
            match there.await? {
                true => Ok(()),
                false => Err(Error::backend("the backend does not answer")),
            }
        })
    }
}

impl Subscription for StubSubscription {
    fn subscribe(&self, channels: Vec<Channel>) -> Async<'static, Result<()>> {
        self.step(|state, id| state.post.subscribe(id, channels))
    }

    fn unsubscribe(&self, channels: Vec<Channel>) -> Async<'static, Result<()>> {
        self.step(|state, id| state.post.unsubscribe(id, channels))
    }

    fn ping(&self) -> Async<'static, Result<()>> {
        self.step(|_, _| ())
    }
}

impl Drop for StubSubscription {
    fn drop(&mut self) {
        self.receiving.abort();
        self.redis.state().post.close(self.id);
    }
}

/// Hands over what arrives, in order; what is on its way while Redis hangs arrives afterwards.
async fn receive(redis: StubRedis, mut inbox: Inbox, events: Events) {
    while let Some((arrives, event)) = inbox.recv().await {
        tokio::time::sleep_until(arrives).await;
        while event != Event::Lost && redis.state().hangs {
            tokio::time::sleep(super::DELAY).await;
        }
        events(event);
    }
}
