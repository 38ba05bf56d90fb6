//! The settings of a node, with their defaults and bounds.

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

/// Which backend joins the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum BackendType {
    /// One process.
    #[default]
    Memory,
    /// Many, joined by Redis.
    Redis,
}

/// What can be set. Times are seconds, sizes bytes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// `HOST` (127.0.0.1): the address to listen on.
    pub host: IpAddr,
    /// `PORT` (8000): the port, 0 for any that is free.
    pub port: u16,
    /// `BACKEND_TYPE` (`memory`).
    pub backend_type: BackendType,
    /// `REDIS_URL` (redis://localhost:6379/0).
    pub redis_url: RedisUrl,
    /// `REDIS_CHANNEL_PREFIX` (ws:): what keys and channels begin with.
    pub redis_channel_prefix: RedisPrefix,
    /// `REDIS_REGISTRY_EXPIRY` (3600): when the registry of a cluster vanishes of which no node is left.
    pub redis_registry_expiry: Duration,
    /// `REDIS_GROUP_EXPIRY` (3600): the same for who is present in groups.
    pub redis_group_expiry: Duration,
    /// `NODE_LEASE` (10): how long a node that is not heard of counts as there.
    pub node_lease: Duration,
    /// `SERVER_INSTANCE_ID` (generated): the name of this node.
    pub server_instance_id: Option<NodeId>,
    /// `WS_MAX_MESSAGE_SIZE` (10485760): the largest message of a client, in bytes.
    pub ws_max_message_size: usize,
    /// `WS_MESSAGE_TIMEOUT` (60): how long a message may take from its first byte to its last.
    pub ws_message_timeout: Duration,
    /// `WS_MAX_OUTBOX_BYTES` (1048576): how much may wait for one connection.
    pub ws_max_outbox_bytes: usize,
    /// `WS_WRITE_TIMEOUT` (10): how long a socket may take nothing.
    pub ws_write_timeout: Duration,
    /// `WS_HANDLER_TIMEOUT` (30): the deadline of a handler that has none of its own.
    pub ws_handler_timeout: Duration,
    /// `WS_ENABLE_HEARTBEAT` (true): whether connections are pinged, and silent ones closed.
    pub ws_enable_heartbeat: bool,
    /// `WS_HEARTBEAT_INTERVAL` (30): how often a connection is pinged.
    pub ws_heartbeat_interval: Duration,
    /// `WS_HEARTBEAT_TIMEOUT` (60): how long nothing may be heard of a client; it is closed with 4408 at most one interval
    /// later.
    pub ws_heartbeat_timeout: Duration,
    /// `WS_MAX_GROUPS_PER_CONNECTION` (128).
    pub ws_max_groups_per_connection: usize,
    /// `WS_RECONNECT_MAX_ATTEMPTS` (5): told to clients in the welcome.
    pub ws_reconnect_max_attempts: u32,
    /// `WS_RECONNECT_DELAY` (5): told to clients in the welcome.
    pub ws_reconnect_delay: Duration,
    /// `MAX_CONNECTIONS_PER_CLIENT` (1000): connections of one user.
    pub max_connections_per_client: usize,
    /// `MAX_TOTAL_CONNECTIONS` (200000).
    pub max_total_connections: usize,
    /// `MAX_CONNECTIONS_PER_IP` (0): connections of one address, of one /64 network with IPv6; 0 for no bound.
    pub max_connections_per_ip: usize,
    /// `MAX_TOTAL_GROUPS` (5000000): groups in all; one that has members on three nodes counts three times.
    pub max_total_groups: usize,
    /// `ALLOWED_ORIGINS` (the server's own): which pages may connect.
    pub allowed_origins: AllowedOrigins,
    /// `TRUSTED_PROXIES` (none): whose `X-Forwarded-For` counts.
    pub trusted_proxies: TrustedProxies,
    /// `SHUTDOWN_TIMEOUT` (10): how long a stop may take.
    pub shutdown_timeout: Duration,
    /// `LOG_STATS` (false): whether the statistics are logged once in a minute.
    pub log_stats: bool,
    /// `LOG_LEVEL` (INFO).
    pub log_level: tracing::Level,
    /// `WORKERS` (the cores available to the process): 0 for the caller's runtime.
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
    /// Reads the environment, and `.env` in the working directory for what the environment does not say.
    ///
    /// # Errors
    /// All bad variables at once, a line each, with the value and what is allowed.
    pub fn from_env() -> Result<Self, Error> {
        Self::read(Env::load()?)
    }

    /// Reads the variables that `value` knows; an empty one counts as not set.
    ///
    /// # Errors
    /// All bad variables at once, a line each.
    pub fn from_values(value: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        Self::read(Env::from_values(value))
    }

    fn read(mut read: Env<'_>) -> Result<Self, Error> {
        let default = Self::default();
        let settings = Self {
            host: read.parse("HOST", default.host, "an IP address such as 127.0.0.1 or 0.0.0.0"),
            port: read.parse("PORT", default.port, "0 to 65535"),
            backend_type: read.one_of(
                "BACKEND_TYPE",
                BackendType::Memory,
                &[("memory", BackendType::Memory), ("redis", BackendType::Redis)],
            ),
            redis_url: read.secret("REDIS_URL", default.redis_url),
            redis_channel_prefix: read.told("REDIS_CHANNEL_PREFIX", default.redis_channel_prefix),
            redis_registry_expiry: read.seconds("REDIS_REGISTRY_EXPIRY", default.redis_registry_expiry, 60, 604_800),
            redis_group_expiry: read.seconds("REDIS_GROUP_EXPIRY", default.redis_group_expiry, 60, 604_800),
            node_lease: read.seconds("NODE_LEASE", default.node_lease, 5, 60),
            server_instance_id: read.optional("SERVER_INSTANCE_ID"),
            ws_max_message_size: read.number("WS_MAX_MESSAGE_SIZE", default.ws_max_message_size, 1, 1 << 30),
            ws_message_timeout: read.seconds("WS_MESSAGE_TIMEOUT", default.ws_message_timeout, 1, 86_400),
            ws_max_outbox_bytes: read.number("WS_MAX_OUTBOX_BYTES", default.ws_max_outbox_bytes, 1024, 1 << 30),
            ws_write_timeout: read.seconds("WS_WRITE_TIMEOUT", default.ws_write_timeout, 1, 3600),
            ws_handler_timeout: read.seconds("WS_HANDLER_TIMEOUT", default.ws_handler_timeout, 1, 86_400),
            ws_enable_heartbeat: read.flag("WS_ENABLE_HEARTBEAT", default.ws_enable_heartbeat),
            ws_heartbeat_interval: read.seconds("WS_HEARTBEAT_INTERVAL", default.ws_heartbeat_interval, 1, 3600),
            ws_heartbeat_timeout: read.seconds("WS_HEARTBEAT_TIMEOUT", default.ws_heartbeat_timeout, 1, 86_400),
            ws_max_groups_per_connection: read.number(
                "WS_MAX_GROUPS_PER_CONNECTION",
                default.ws_max_groups_per_connection,
                1,
                65_536,
            ),
            ws_reconnect_max_attempts: read.number(
                "WS_RECONNECT_MAX_ATTEMPTS",
                default.ws_reconnect_max_attempts,
                0,
                1_000_000,
            ),
            ws_reconnect_delay: read.seconds("WS_RECONNECT_DELAY", default.ws_reconnect_delay, 0, 3600),
            max_connections_per_client: read.number(
                "MAX_CONNECTIONS_PER_CLIENT",
                default.max_connections_per_client,
                1,
                10_000_000,
            ),
            max_total_connections: read.number("MAX_TOTAL_CONNECTIONS", default.max_total_connections, 1, 10_000_000),
            max_connections_per_ip: read.number(
                "MAX_CONNECTIONS_PER_IP",
                default.max_connections_per_ip,
                0,
                10_000_000,
            ),
            max_total_groups: read.number("MAX_TOTAL_GROUPS", default.max_total_groups, 1, 1_000_000_000),
            allowed_origins: read.told("ALLOWED_ORIGINS", default.allowed_origins),
            trusted_proxies: read.told("TRUSTED_PROXIES", default.trusted_proxies),
            shutdown_timeout: read.seconds("SHUTDOWN_TIMEOUT", default.shutdown_timeout, 1, 3600),
            log_stats: read.flag("LOG_STATS", default.log_stats),
            log_level: read.one_of(
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
            workers: read.number("WORKERS", default.workers, 0, 1024),
        };
        if settings.ws_enable_heartbeat && settings.ws_heartbeat_timeout < settings.ws_heartbeat_interval {
            let timeout = settings.ws_heartbeat_timeout.as_secs_f64().to_string();
            let least = format!("at least WS_HEARTBEAT_INTERVAL ({} s)", settings.ws_heartbeat_interval.as_secs_f64());
            read.refuse("WS_HEARTBEAT_TIMEOUT", &timeout, least);
        }
        read.finish(settings)
    }

    /// The heartbeat, unless it is switched off.
    pub(crate) fn heartbeat(&self) -> Option<(Duration, Duration)> {
        self.ws_enable_heartbeat.then_some((self.ws_heartbeat_interval, self.ws_heartbeat_timeout))
    }

    /// The node's name: the one that was set, else a new one.
    pub(crate) fn node_id(&self) -> NodeId {
        self.server_instance_id.clone().unwrap_or_else(NodeId::generate)
    }
}
