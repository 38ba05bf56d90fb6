//! The driver over a Redis server.

mod commands;
mod connection;
mod context;
mod rate_script;
mod repair;
mod script_args;
mod scripts;
mod subscription;
mod trial;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::{Client, Pipeline, Value};

use self::commands::RealCommands;
use self::connection::{RedisConnection, client, config};
use self::context::{DriverContext, ScriptTimes};
use super::{Commands, Driver, EventSink, Subscription};
use crate::backend::redis::keys::Keyspace;
use crate::backend::{Async, PRESENCE_GRACE};
use crate::error::Result;
use crate::settings::Settings;
use crate::time::millis;

/// The settings of a driver.
#[derive(Clone)]
pub(crate) struct DriverConfig {
    /// `redis://[user[:password]@]host[:port][/database]`; `rediss://` with the feature `redis-tls`.
    pub(crate) url: String,
    pub(crate) keyspace: Keyspace,
    /// Duration of a lease.
    pub(crate) lease: Duration,
    /// Expiry of the keys of connections and members, without a renewal.
    pub(crate) registry_expiry: Duration,
    /// Expiry of the keys of presences, without a renewal.
    pub(crate) presence_expiry: Duration,
}

/// Opens connections to a server.
pub(crate) struct RealDriver {
    client: Client,
    context: Arc<DriverContext>,
}

impl RealDriver {
    /// Returns a driver for the server at the URL. It does not connect yet.
    ///
    /// # Errors
    /// When the URL cannot be read, or asks for TLS in a build without it.
    pub(crate) fn new(config: DriverConfig) -> Result<Self> {
        Self::with_grace(config, PRESENCE_GRACE)
    }

    /// Returns a driver whose presences have another grace period.
    pub(super) fn with_grace(config: DriverConfig, grace: Duration) -> Result<Self> {
        let times = ScriptTimes {
            lease: millis(config.lease),
            registry_expiry: millis(config.registry_expiry),
            presence_expiry: millis(config.presence_expiry),
            grace: millis(grace),
        };
        let context = Arc::new(DriverContext::new(config.keyspace, times));
        Ok(Self { client: client(&config.url)?, context })
    }
}

impl DriverConfig {
    /// Returns the configuration that a node's settings describe.
    pub(crate) fn of(settings: &Settings) -> Self {
        Self {
            url: settings.redis_url.secret().to_owned(),
            keyspace: Keyspace::new(settings.redis_channel_prefix.as_str()),
            lease: settings.node_lease,
            registry_expiry: settings.redis_registry_expiry,
            presence_expiry: settings.redis_group_expiry,
        }
    }
}

impl fmt::Debug for DriverConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Leaves out the URL, which may contain a password.
        f.debug_struct("DriverConfig")
            .field("keyspace", &self.keyspace)
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RealDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RealDriver").field("keyspace", &self.context.keyspace).finish_non_exhaustive()
    }
}

impl Driver for RealDriver {
    fn commands(&self) -> Async<'static, Result<Arc<dyn Commands>>> {
        let (client, context) = (self.client.clone(), self.context.clone());
        Box::pin(async move {
            let connection = RedisConnection::open(&client, &config()).await?;
            let run_id = inspect_server(&connection, &context.warned_of_eviction).await?;
            Ok(Arc::new(RealCommands::new(connection, context, run_id)) as Arc<dyn Commands>)
        })
    }

    fn subscription(&self, events: EventSink) -> Async<'static, Result<Arc<dyn Subscription>>> {
        let (client, keyspace) = (self.client.clone(), self.context.keyspace.clone());
        Box::pin(async move {
            let subscription = subscription::open(&client, keyspace, events).await?;
            Ok(Arc::new(subscription) as Arc<dyn Subscription>)
        })
    }
}

/// Returns the run id of the server, and warns once when the server may evict keys. A server that does not permit these
/// commands works as well.
async fn inspect_server(connection: &RedisConnection, warned: &AtomicBool) -> Result<Option<String>> {
    let mut commands = Pipeline::with_capacity(2);
    commands.cmd("INFO").arg("server").cmd("CONFIG").arg("GET").arg("maxmemory-policy");
    let mut replies = connection.call_all(&commands).await?.into_iter();
    let run_id = replies.next().and_then(run_id);
    if let Some(Value::Map(policy)) = replies.next()
        && let Some(policy) = policy.into_iter().next().and_then(|(_, policy)| text(policy))
        && policy != "noeviction"
        && !warned.swap(true, Ordering::Relaxed)
    {
        tracing::warn!(policy, "Redis may evict keys: set `maxmemory-policy` to `noeviction`");
    }
    Ok(run_id)
}

/// Returns the run id in the reply to `INFO server`.
fn run_id(info: Value) -> Option<String> {
    text(info)?.lines().find_map(|line| line.strip_prefix("run_id:")).filter(|id| !id.is_empty()).map(str::to_owned)
}

fn text(value: Value) -> Option<String> {
    redis::from_redis_value(value).ok()
}
