//! The receiving link.

use tokio::task::AbortHandle;

use super::super::{Event, Events, Subscription};
use super::pubsub::Inbox;
use super::{State, StubRedis};
use crate::backend::Async;
use crate::backend::redis::keys::Channel;
use crate::error::{Error, Result};

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
