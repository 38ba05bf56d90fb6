//! The subscriber connection to a stub.

use tokio::task::AbortHandle;

use super::super::{EventSink, Subscription, SubscriptionEvent};
use super::pubsub::Inbox;
use super::{DELAY, RUN_ID, StubServer, StubState, unavailable};
use crate::backend::Async;
use crate::backend::redis::keys::Channel;
use crate::error::Result;

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
            let stepped = redis.step(move |state| {
                step(state, id);
                state.pubsub.is_connected(id)
            });
            match stepped.await? {
                true => Ok(()),
                false => Err(unavailable()),
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

    fn run_id(&self) -> Async<'static, Result<Option<String>>> {
        Box::pin(std::future::ready(Ok(Some(RUN_ID.to_owned()))))
    }
}

impl Drop for StubSubscription {
    fn drop(&mut self) {
        self.receiving.abort();
        self.redis.state().pubsub.disconnect(self.id);
    }
}

/// Passes events on in order. Events that arrive while the server hangs are passed on afterwards.
async fn receive(redis: StubServer, mut inbox: Inbox, events: EventSink) {
    while let Some((arrives, event)) = inbox.recv().await {
        tokio::time::sleep_until(arrives).await;
        while event != SubscriptionEvent::Lost && redis.state().hangs {
            tokio::time::sleep(DELAY).await;
        }
        events(event);
    }
}
