//! The driver for a Redis that is in the process: what the seam promises, on tokio's clock, and faults at will.

mod commands;
mod presence;
mod pubsub;
mod registry;
mod subscription;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::{Commands, Driver, EventSink, Subscription};
use crate::backend::redis::keys::Channel;
use crate::backend::{Async, GRACE, RateLimiter};
use crate::error::{Error, Result};
use crate::sync::{Mutex, MutexGuard, lock};
use commands::StubCommands;
use pubsub::StubPubSub;
use registry::StubRegistry;
use subscription::StubSubscription;

/// How long a call takes there and back, and a message to whoever hears it.
const DELAY: Duration = Duration::from_millis(1);

/// A call that is not answered fails after this.
const TIMEOUT: Duration = Duration::from_secs(1);

/// A Redis without a server. The drivers that it gives away are the nodes' ways to the same one.
#[derive(Clone)]
pub(crate) struct StubServer(Arc<Mutex<StubState>>);

/// What it keeps, and what is wrong with it.
struct StubState {
    registry: StubRegistry,
    rates: RateLimiter,
    pubsub: StubPubSub,
    down: bool,
    hangs: bool,
    drops: usize,
}

impl StubServer {
    /// An empty one. Leases are as long as `lease`.
    pub(crate) fn new(lease: Duration) -> Self {
        Self::with_grace(lease, GRACE)
    }

    /// The same with another grace of presences.
    pub(super) fn with_grace(lease: Duration, grace: Duration) -> Self {
        let state = StubState {
            registry: StubRegistry::new(lease, grace),
            rates: RateLimiter::new(Instant::now()),
            pubsub: StubPubSub::default(),
            down: false,
            hangs: false,
            drops: 0,
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// A way to it.
    pub(crate) fn driver(&self) -> StubDriver {
        StubDriver { redis: self.clone() }
    }

    /// It is gone: links die, and every call fails after its timeout, until it is back. It keeps what it has.
    pub(crate) fn set_down(&self, down: bool) {
        let mut state = self.state();
        state.down = down;
        if down {
            state.pubsub.cut();
        }
    }

    /// It neither answers nor closes anything, until it goes on.
    pub(crate) fn set_hang(&self, hangs: bool) {
        self.state().hangs = hangs;
    }

    /// FLUSHALL.
    pub(crate) fn lose_everything(&self) {
        let mut state = self.state();
        state.registry.clear();
        state.rates = RateLimiter::new(Instant::now());
    }

    /// Every receiving link ends.
    pub(crate) fn cut_subscriptions(&self) {
        self.state().pubsub.cut();
    }

    /// The next message that is published reaches nobody.
    pub(crate) fn drop_next_publish(&self) {
        self.state().drops += 1;
    }

    fn state(&self) -> MutexGuard<'_, StubState> {
        lock(&self.0)
    }

    /// Does something in the middle of a delay, in one step.
    async fn step<T>(&self, step: impl FnOnce(&mut StubState) -> T) -> Result<T> {
        tokio::time::sleep(DELAY / 2).await;
        let done = {
            let mut state = self.state();
            match state.down || state.hangs {
                true => None,
                false => Some(step(&mut state)),
            }
        };
        match done {
            Some(done) => {
                tokio::time::sleep(DELAY / 2).await;
                Ok(done)
            }
            None => {
                tokio::time::sleep(TIMEOUT - DELAY / 2).await;
                Err(Error::backend("the backend does not answer"))
            }
        }
    }
}

impl StubState {
    fn publish(&mut self, messages: Vec<(Channel, Bytes)>) {
        for (channel, payload) in messages {
            match self.drops.checked_sub(1) {
                Some(fewer) => self.drops = fewer,
                None => self.pubsub.send(&channel, &payload),
            }
        }
    }
}

impl fmt::Debug for StubServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StubServer").finish_non_exhaustive()
    }
}

/// Opens links to a [`StubServer`].
#[derive(Debug)]
pub(crate) struct StubDriver {
    redis: StubServer,
}

impl Driver for StubDriver {
    fn commands(&self) -> Async<'static, Result<Arc<dyn Commands>>> {
        let redis = self.redis.clone();
        Box::pin(async move {
            redis.step(|_| ()).await?;
            Ok(Arc::new(StubCommands::new(redis)) as Arc<dyn Commands>)
        })
    }

    fn subscription(&self, events: EventSink) -> Async<'static, Result<Arc<dyn Subscription>>> {
        let redis = self.redis.clone();
        Box::pin(async move {
            let (id, inbox) = redis.step(|state| state.pubsub.open()).await?;
            Ok(Arc::new(StubSubscription::new(redis, id, inbox, events)) as Arc<dyn Subscription>)
        })
    }
}
