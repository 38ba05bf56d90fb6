//! The driver for a server.

mod commands;
mod connection;
mod context;
mod rate_script;
mod script_args;
mod scripts;
mod subscription;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::{Client, Pipeline, Value};

use self::commands::RealCommands;
use self::connection::{RedisConnection, client, config};
use self::context::{DriverContext, ScriptTimes};
use self::scripts::Scripts;
use super::{Commands, Driver, EventSink, Subscription};
use crate::backend::redis::keys::Keyspace;
use crate::backend::{Async, GRACE};
use crate::error::Result;
use crate::settings::Settings;

/// What a driver needs to know.
#[derive(Clone)]
pub(crate) struct DriverConfig {
    /// `redis://[user[:password]@]host[:port][/database]`; `rediss://` with the feature `redis-tls`.
    pub(crate) url: String,
    pub(crate) names: Keyspace,
    /// How long a node counts as live without a renewal.
    pub(crate) lease: Duration,
    /// When keys that nobody renews vanish: those of places and members, and those of presences.
    pub(crate) registry_expiry: Duration,
    pub(crate) presence_expiry: Duration,
}

/// Opens links to a server.
pub(crate) struct RealDriver {
    client: Client,
    shared: Arc<DriverContext>,
}

impl RealDriver {
    /// A driver for the server that a URL names. It does not connect yet.
    ///
    /// # Errors
    /// When the URL cannot be read, or asks for TLS in a build without it.
    pub(crate) fn new(config: DriverConfig) -> Result<Self> {
        Self::with_grace(config, GRACE)
    }

    /// The same with another grace of presences.
    pub(super) fn with_grace(config: DriverConfig, grace: Duration) -> Result<Self> {
        let times = ScriptTimes {
            lease: millis(config.lease),
            registry: millis(config.registry_expiry),
            presence: millis(config.presence_expiry),
            grace: millis(grace),
        };
        let shared =
            DriverContext { names: config.names, scripts: Scripts::new(), times, warned: AtomicBool::new(false) };
        Ok(Self { client: client(&config.url)?, shared: Arc::new(shared) })
    }
}

impl DriverConfig {
    /// As the settings of a node say.
    pub(crate) fn of(settings: &Settings) -> Self {
        Self {
            url: settings.redis_url.secret().to_owned(),
            names: Keyspace::new(settings.redis_channel_prefix.as_str()),
            lease: settings.node_lease,
            registry_expiry: settings.redis_registry_expiry,
            presence_expiry: settings.redis_group_expiry,
        }
    }
}

impl fmt::Debug for DriverConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the URL: it may have a password.
        f.debug_struct("DriverConfig").field("names", &self.names).field("lease", &self.lease).finish_non_exhaustive()
    }
}

impl fmt::Debug for RealDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RealDriver").field("names", &self.shared.names).finish_non_exhaustive()
    }
}

impl Driver for RealDriver {
    fn commands(&self) -> Async<'static, Result<Arc<dyn Commands>>> {
        let (client, shared) = (self.client.clone(), self.shared.clone());
        Box::pin(async move {
            let link = RedisConnection::open(&client, &config()).await?;
            let run = meet(&link, &shared.warned).await?;
            Ok(Arc::new(RealCommands::new(link, shared, run)) as Arc<dyn Commands>)
        })
    }

    fn subscription(&self, events: EventSink) -> Async<'static, Result<Arc<dyn Subscription>>> {
        let (client, names) = (self.client.clone(), self.shared.names.clone());
        Box::pin(async move {
            let subscription = subscription::open(&client, names, events).await?;
            Ok(Arc::new(subscription) as Arc<dyn Subscription>)
        })
    }
}

/// Asks which run of the server this is, and warns when it may evict keys. A server that does not permit the questions is
/// as good: what is not known is empty.
async fn meet(link: &RedisConnection, warned: &AtomicBool) -> Result<String> {
    let mut questions = Pipeline::with_capacity(2);
    questions.cmd("INFO").arg("server").cmd("CONFIG").arg("GET").arg("maxmemory-policy");
    let mut answers = link.call_all(&questions).await?.into_iter();
    let info = answers.next().and_then(text).unwrap_or_default();
    let run = info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or_default();
    if let Some(Value::Map(policy)) = answers.next()
        && let Some(policy) = policy.into_iter().next().and_then(|(_, policy)| text(policy))
        && policy != "noeviction"
        && !warned.swap(true, Ordering::Relaxed)
    {
        tracing::warn!(policy, "Redis may evict keys: set `maxmemory-policy` to `noeviction`");
    }
    Ok(run.to_owned())
}

fn text(value: Value) -> Option<String> {
    redis::from_redis_value(value).ok()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}
