//! The receiving link.

use tokio::task::AbortHandle;

use super::super::{EventSink, Subscription, SubscriptionEvent};
use super::pubsub::Inbox;
use super::{StubServer, StubState};
use crate::backend::Async;
use crate::backend::redis::keys::Channel;
use crate::error::{Error, Result};

/// The receiving link.
pub(super) struct StubSubscription {
    redis: StubServer,
    id: u64,
    receiving: AbortHandle,
}

impl StubSubscription {
    pub(super) fn new(redis: StubServer, id: u64, inbox: Inbox, events: EventSink) -> Self {
        let receiving = tokio::spawn(receive(redis.clone(), inbox, events)).abort_handle();
        Self { redis, id, receiving }
    }

    fn step(&self, step: impl FnOnce(&mut StubState, u64) + Send + 'static) -> Async<'static, Result<()>> {
        let (redis, id) = (self.redis.clone(), self.id);
        Box::pin(async move {
            let there = redis.step(move |state| {
                step(state, id);
                state.pubsub.has(id)
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
        self.step(|state, id| state.pubsub.subscribe(id, channels))
    }

    fn unsubscribe(&self, channels: Vec<Channel>) -> Async<'static, Result<()>> {
        self.step(|state, id| state.pubsub.unsubscribe(id, channels))
    }

    fn ping(&self) -> Async<'static, Result<()>> {
        self.step(|_, _| ())
    }
}

impl Drop for StubSubscription {
    fn drop(&mut self) {
        self.receiving.abort();
        self.redis.state().pubsub.close(self.id);
    }
}

/// Hands over what arrives, in order; what is on its way while Redis hangs arrives afterwards.
async fn receive(redis: StubServer, mut inbox: Inbox, events: EventSink) {
    while let Some((arrives, event)) = inbox.recv().await {
        tokio::time::sleep_until(arrives).await;
        while event != SubscriptionEvent::Lost && redis.state().hangs {
            tokio::time::sleep(super::DELAY).await;
        }
        events(event);
    }
}
