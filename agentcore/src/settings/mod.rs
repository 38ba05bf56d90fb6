//! The settings of a node, with their defaults and limits.

mod origins;
mod proxies;
mod redis;

pub use origins::{AllowedOrigins, AllowedOriginsError};
pub use proxies::{TrustedProxies, TrustedProxiesError};
pub use redis::{RedisPrefix, RedisPrefixError, RedisUrl, RedisUrlError};

use std::net::IpAddr;
use std::time::Duration;

use crate::env::Env;
use crate::error::Error;
use crate::id::NodeId;

/// The backend that connects the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum BackendType {
    /// A single node.
    #[default]
    Memory,
    /// Several nodes, connected by Redis.
    Redis,
}

/// The settings of a node. Each field names its environment variable and default; times are in seconds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// `HOST` (127.0.0.1): the address to listen on.
    pub host: IpAddr,
    /// `PORT` (8000): the port; 0 chooses a free one.
    pub port: u16,
    /// `BACKEND_TYPE` (memory): `memory` for a single node, `redis` for several.
    pub backend_type: BackendType,
    /// `REDIS_URL` (redis://localhost:6379/0): the Redis server of the backend.
    pub redis_url: RedisUrl,
    /// `REDIS_CHANNEL_PREFIX` (ws:): the prefix of keys and channels.
    pub redis_channel_prefix: RedisPrefix,
    /// `REDIS_REGISTRY_EXPIRY` (3600): how long Redis keeps the registry after the last node has ended.
    pub redis_registry_expiry: Duration,
    /// `REDIS_GROUP_EXPIRY` (3600): how long Redis keeps presence in groups after the last node has ended.
    pub redis_group_expiry: Duration,
    /// `NODE_LEASE` (10): how long a node that no longer renews its lease counts as alive.
    pub node_lease: Duration,
    /// `SERVER_INSTANCE_ID` (generated): the name of this node.
    pub server_instance_id: Option<NodeId>,
    /// `WS_MAX_MESSAGE_SIZE` (10485760): the largest message from a client, in bytes.
    pub ws_max_message_size: usize,
    /// `WS_MAX_UNFINISHED_BYTES` (268435456): memory for messages of all clients that have begun and are not complete, in
    /// bytes; at least `WS_MAX_MESSAGE_SIZE`. A client whose message finds no room is closed with 1013.
    pub ws_max_unfinished_bytes: usize,
    /// `WS_MESSAGE_TIMEOUT` (60): how long a message may take from its first byte to its last.
    pub ws_message_timeout: Duration,
    /// `WS_MAX_OUTBOX_BYTES` (1048576): how many bytes may wait to be written to one connection. Above that, the
    /// overflow policy of the message decides; by default the connection is closed with 1013.
    pub ws_max_outbox_bytes: usize,
    /// `WS_WRITE_TIMEOUT` (10): how long a socket may accept no bytes. Its connection then ends, with 1013 after an upgrade.
    pub ws_write_timeout: Duration,
    /// `WS_HANDLER_TIMEOUT` (30): the deadline of handlers without a `timeout` of their own.
    pub ws_handler_timeout: Duration,
    /// `WS_ENABLE_HEARTBEAT` (true): whether connections are pinged and silent ones closed.
    pub ws_enable_heartbeat: bool,
    /// `WS_HEARTBEAT_INTERVAL` (30): how often a connection is pinged.
    pub ws_heartbeat_interval: Duration,
    /// `WS_HEARTBEAT_TIMEOUT` (60): how long a client may be silent. Its connection is then closed with 4408, at most
    /// one heartbeat interval later.
    pub ws_heartbeat_timeout: Duration,
    /// `WS_MAX_GROUPS_PER_CONNECTION` (128): how many groups one connection may join.
    pub ws_max_groups_per_connection: usize,
    /// `WS_RECONNECT_MAX_ATTEMPTS` (5): the reconnect attempts that the welcome recommends to clients.
    pub ws_reconnect_max_attempts: u32,
    /// `WS_RECONNECT_DELAY` (5): the delay before a reconnect that the welcome recommends to clients.
    pub ws_reconnect_delay: Duration,
    /// `MAX_CONNECTIONS_PER_CLIENT` (1000): connections of one user, on all nodes.
    pub max_connections_per_client: usize,
    /// `MAX_TOTAL_CONNECTIONS` (200000): connections in total, on all nodes.
    pub max_total_connections: usize,
    /// `MAX_CONNECTIONS_PER_IP` (0): connections of one IPv4 address or one IPv6 /64 network, on all nodes; 0 for no
    /// limit.
    pub max_connections_per_ip: usize,
    /// `MAX_TOTAL_GROUPS` (5000000): groups in total; a group with members on three nodes counts three times.
    pub max_total_groups: usize,
    /// `MAX_HTTP_CONNECTIONS` (4096): connections of this node that are not upgraded; never more than a quarter of the
    /// files that the process may open.
    pub max_http_connections: usize,
    /// `HTTP_IDLE_TIMEOUT` (75): how long an HTTP connection may be idle between two requests.
    pub http_idle_timeout: Duration,
    /// `HTTP_BODY_TIMEOUT` (10): how long the body of an HTTP request may take.
    pub http_body_timeout: Duration,
    /// `ALLOWED_ORIGINS` (the server's own): the origins whose pages may connect.
    pub allowed_origins: AllowedOrigins,
    /// `TRUSTED_PROXIES` (none): the proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: TrustedProxies,
    /// `SHUTDOWN_TIMEOUT` (10): how long a graceful stop may take.
    pub shutdown_timeout: Duration,
    /// `LOG_STATS` (false): whether statistics are logged once a minute.
    pub log_stats: bool,
    /// `LOG_LEVEL` (INFO): the least severe level that is logged.
    pub log_level: tracing::Level,
    /// `WORKERS` (the cores available to the process): the worker threads; 0 uses the runtime of the caller.
    pub workers: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            host: IpAddr::from([127, 0, 0, 1]),
            port: 8000,
            backend_type: BackendType::Memory,
            redis_url: RedisUrl::default(),
            redis_channel_prefix: RedisPrefix::default(),
            redis_registry_expiry: Duration::from_secs(3600),
            redis_group_expiry: Duration::from_secs(3600),
            node_lease: Duration::from_secs(10),
            server_instance_id: None,
            ws_max_message_size: 10_485_760,
            ws_max_unfinished_bytes: 268_435_456,
            ws_message_timeout: Duration::from_secs(60),
            ws_max_outbox_bytes: 1_048_576,
            ws_write_timeout: Duration::from_secs(10),
            ws_handler_timeout: Duration::from_secs(30),
            ws_enable_heartbeat: true,
            ws_heartbeat_interval: Duration::from_secs(30),
            ws_heartbeat_timeout: Duration::from_secs(60),
            ws_max_groups_per_connection: 128,
            ws_reconnect_max_attempts: 5,
            ws_reconnect_delay: Duration::from_secs(5),
            max_connections_per_client: 1000,
            max_total_connections: 200_000,
            max_connections_per_ip: 0,
            max_total_groups: 5_000_000,
            max_http_connections: 4096,
            http_idle_timeout: Duration::from_secs(75),
            http_body_timeout: Duration::from_secs(10),
            allowed_origins: AllowedOrigins::default(),
            trusted_proxies: TrustedProxies::default(),
            shutdown_timeout: Duration::from_secs(10),
            log_stats: false,
            log_level: tracing::Level::INFO,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

impl Settings {
    /// Reads the environment, and `.env` in the working directory for variables that the environment lacks.
    ///
    /// # Errors
    /// One line for each invalid variable, with its value and the valid values.
    pub fn from_env() -> Result<Self, Error> {
        Self::read(Env::load()?)
    }

    /// Reads the variables with `lookup`; an empty value counts as not set.
    ///
    /// # Errors
    /// One line for each invalid variable.
    pub fn from_values(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        Self::read(Env::from_values(lookup))
    }

    fn read(mut env: Env<'_>) -> Result<Self, Error> {
        let default = Self::default();
        let settings = Self {
            host: env.parse("HOST", default.host, "an IP address such as 127.0.0.1 or 0.0.0.0"),
            port: env.parse("PORT", default.port, "0 to 65535"),
            backend_type: env.one_of(
                "BACKEND_TYPE",
                BackendType::Memory,
                &[("memory", BackendType::Memory), ("redis", BackendType::Redis)],
            ),
            redis_url: env.secret("REDIS_URL", default.redis_url),
            redis_channel_prefix: env.value("REDIS_CHANNEL_PREFIX", default.redis_channel_prefix),
            redis_registry_expiry: env.seconds("REDIS_REGISTRY_EXPIRY", default.redis_registry_expiry, 60, 604_800),
            redis_group_expiry: env.seconds("REDIS_GROUP_EXPIRY", default.redis_group_expiry, 60, 604_800),
            node_lease: env.seconds("NODE_LEASE", default.node_lease, 5, 60),
            server_instance_id: env.optional("SERVER_INSTANCE_ID"),
            ws_max_message_size: env.number("WS_MAX_MESSAGE_SIZE", default.ws_max_message_size, 1, 1 << 30),
            ws_max_unfinished_bytes: env.number(
                "WS_MAX_UNFINISHED_BYTES",
                default.ws_max_unfinished_bytes,
                1024,
                1 << 40,
            ),
            ws_message_timeout: env.seconds("WS_MESSAGE_TIMEOUT", default.ws_message_timeout, 1, 86_400),
            ws_max_outbox_bytes: env.number("WS_MAX_OUTBOX_BYTES", default.ws_max_outbox_bytes, 1024, 1 << 30),
            ws_write_timeout: env.seconds("WS_WRITE_TIMEOUT", default.ws_write_timeout, 1, 3600),
            ws_handler_timeout: env.seconds("WS_HANDLER_TIMEOUT", default.ws_handler_timeout, 1, 86_400),
            ws_enable_heartbeat: env.flag("WS_ENABLE_HEARTBEAT", default.ws_enable_heartbeat),
            ws_heartbeat_interval: env.seconds("WS_HEARTBEAT_INTERVAL", default.ws_heartbeat_interval, 1, 3600),
            ws_heartbeat_timeout: env.seconds("WS_HEARTBEAT_TIMEOUT", default.ws_heartbeat_timeout, 1, 86_400),
            ws_max_groups_per_connection: env.number(
                "WS_MAX_GROUPS_PER_CONNECTION",
                default.ws_max_groups_per_connection,
                1,
                65_536,
            ),
            ws_reconnect_max_attempts: env.number(
                "WS_RECONNECT_MAX_ATTEMPTS",
                default.ws_reconnect_max_attempts,
                0,
                1_000_000,
            ),
            ws_reconnect_delay: env.seconds("WS_RECONNECT_DELAY", default.ws_reconnect_delay, 0, 3600),
            max_connections_per_client: env.number(
                "MAX_CONNECTIONS_PER_CLIENT",
                default.max_connections_per_client,
                1,
                10_000_000,
            ),
            max_total_connections: env.number("MAX_TOTAL_CONNECTIONS", default.max_total_connections, 1, 10_000_000),
            max_connections_per_ip: env.number("MAX_CONNECTIONS_PER_IP", default.max_connections_per_ip, 0, 10_000_000),
            max_total_groups: env.number("MAX_TOTAL_GROUPS", default.max_total_groups, 1, 1_000_000_000),
            max_http_connections: env.number("MAX_HTTP_CONNECTIONS", default.max_http_connections, 1, 1_000_000),
            http_idle_timeout: env.seconds("HTTP_IDLE_TIMEOUT", default.http_idle_timeout, 1, 3600),
            http_body_timeout: env.seconds("HTTP_BODY_TIMEOUT", default.http_body_timeout, 1, 3600),
            allowed_origins: env.value("ALLOWED_ORIGINS", default.allowed_origins),
            trusted_proxies: env.value("TRUSTED_PROXIES", default.trusted_proxies),
            shutdown_timeout: env.seconds("SHUTDOWN_TIMEOUT", default.shutdown_timeout, 1, 3600),
            log_stats: env.flag("LOG_STATS", default.log_stats),
            log_level: env.one_of(
                "LOG_LEVEL",
                default.log_level,
                &[
                    ("ERROR", tracing::Level::ERROR),
                    ("WARN", tracing::Level::WARN),
                    ("WARNING", tracing::Level::WARN),
                    ("INFO", tracing::Level::INFO),
                    ("DEBUG", tracing::Level::DEBUG),
                    ("TRACE", tracing::Level::TRACE),
                ],
            ),
            workers: env.number("WORKERS", default.workers, 0, 1024),
        };
        if settings.ws_enable_heartbeat && settings.ws_heartbeat_timeout < settings.ws_heartbeat_interval {
            let timeout = settings.ws_heartbeat_timeout.as_secs_f64().to_string();
            let minimum =
                format!("at least WS_HEARTBEAT_INTERVAL ({} s)", settings.ws_heartbeat_interval.as_secs_f64());
            env.reject("WS_HEARTBEAT_TIMEOUT", &timeout, minimum);
        }
        if settings.ws_max_unfinished_bytes < settings.ws_max_message_size {
            let minimum = format!("at least WS_MAX_MESSAGE_SIZE ({})", settings.ws_max_message_size);
            env.reject("WS_MAX_UNFINISHED_BYTES", &settings.ws_max_unfinished_bytes.to_string(), minimum);
        }
        env.finish(settings)
    }

    /// Returns the interval and the timeout of the heartbeat, if it is enabled.
    pub(crate) fn heartbeat(&self) -> Option<(Duration, Duration)> {
        self.ws_enable_heartbeat.then_some((self.ws_heartbeat_interval, self.ws_heartbeat_timeout))
    }

    /// Returns the node's name, generating one if none is set.
    pub(crate) fn node_id(&self) -> NodeId {
        self.server_instance_id.clone().unwrap_or_else(NodeId::generate)
    }
}
