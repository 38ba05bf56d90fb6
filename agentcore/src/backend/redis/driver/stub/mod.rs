//! A Redis in the process: implements the driver on tokio's clock, and fails on request.

mod commands;
mod pubsub;
mod registry;
mod subscription;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use self::commands::StubCommands;
use self::pubsub::StubPubSub;
use self::registry::StubRegistry;
use self::subscription::StubSubscription;
use super::{Commands, Driver, EventSink, Subscription};
use crate::backend::redis::keys::Channel;
use crate::backend::{Async, PRESENCE_GRACE, RateLimiter};
use crate::error::{Error, Result};
use crate::sync::{Mutex, MutexGuard, lock};

/// Duration of a round trip, and of the delivery of a message.
const DELAY: Duration = Duration::from_millis(1);

/// The run id of every stub, which never restarts.
const RUN_ID: &str = "stub";

/// Timeout of a call.
const TIMEOUT: Duration = Duration::from_secs(1);

/// A Redis without a server. Each driver connects one node to it.
#[derive(Clone)]
pub(crate) struct StubServer(Arc<Mutex<StubState>>);

/// The data and the faults of a stub.
struct StubState {
    registry: StubRegistry,
    rates: RateLimiter,
    pubsub: StubPubSub,
    is_down: bool,
    hangs: bool,
    /// Number of the next messages that are dropped.
    drops: usize,
}

impl StubServer {
    /// Creates an empty server with this duration of leases.
    pub(crate) fn new(lease: Duration) -> Self {
        Self::with_grace(lease, PRESENCE_GRACE)
    }

    /// Creates an empty server with another grace period of presences.
    pub(super) fn with_grace(lease: Duration, grace: Duration) -> Self {
        let state = StubState {
            registry: StubRegistry::new(lease, grace),
            rates: RateLimiter::new(Instant::now()),
            pubsub: StubPubSub::default(),
            is_down: false,
            hangs: false,
            drops: 0,
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Returns a driver for this server.
    pub(crate) fn driver(&self) -> StubDriver {
        StubDriver { redis: self.clone() }
    }

    /// Makes the server unreachable, or reachable again. While it is down, connections die and every call fails after
    /// its timeout. The data stays.
    pub(crate) fn set_down(&self, is_down: bool) {
        let mut state = self.state();
        state.is_down = is_down;
        if is_down {
            state.pubsub.disconnect_all();
        }
    }

    /// Makes the server hang: it neither answers nor closes connections.
    pub(crate) fn set_hang(&self, hangs: bool) {
        self.state().hangs = hangs;
    }

    /// Deletes all data, as FLUSHALL does.
    pub(crate) fn lose_everything(&self) {
        let mut state = self.state();
        state.registry.clear();
        state.rates = RateLimiter::new(Instant::now());
    }

    /// Closes every subscriber connection.
    pub(crate) fn cut_subscriptions(&self) {
        self.state().pubsub.disconnect_all();
    }

    /// Drops the next message that is published.
    pub(crate) fn drop_next_publish(&self) {
        self.state().drops += 1;
    }

    fn state(&self) -> MutexGuard<'_, StubState> {
        lock(&self.0)
    }

    /// Runs one atomic step in the middle of a round trip.
    async fn step<T>(&self, step: impl FnOnce(&mut StubState) -> T) -> Result<T> {
        tokio::time::sleep(DELAY / 2).await;
        let done = {
            let mut state = self.state();
            match state.is_down || state.hangs {
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
                Err(unavailable())
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

/// Opens connections to a [`StubServer`].
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
            let (id, inbox) = redis.step(|state| state.pubsub.connect()).await?;
            Ok(Arc::new(StubSubscription::new(redis, id, inbox, events)) as Arc<dyn Subscription>)
        })
    }
}

fn unavailable() -> Error {
    Error::backend("the backend does not answer")
}
