//! The address of the Redis that holds the store.

use std::fmt;
use std::time::Duration;

use agentcore::settings::RedisUrl;
use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::TcpKeepalive;
use redis::{ConnectionInfo, IntoConnectionInfo, ProtocolVersion};

/// The server, the database, and the prefix of the keys.
#[derive(Clone)]
pub(crate) struct RedisAddress {
    info: ConnectionInfo,
    prefix: String,
}

impl RedisAddress {
    /// Reads a URL.
    ///
    /// # Errors
    /// The rule that the URL breaks. The text does not contain the URL, which may have a password.
    pub(crate) fn new(url: &RedisUrl, prefix: &str) -> Result<Self, String> {
        let rule = "redis://; for rediss:// build with the feature `tokio-rustls-comp` of the crate redis";
        let info = url.secret().into_connection_info().map_err(|_| rule.to_owned())?;
        // Each call is a small write whose answer a client waits for. Keepalive detects a dead server between calls.
        let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(10)).with_interval(Duration::from_secs(5));
        let tcp = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
        // Only RESP3 reports the end of a connection between calls.
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let info = info.set_redis_settings(settings).set_tcp_settings(tcp);
        Ok(Self { info, prefix: prefix.to_owned() })
    }

    pub(super) fn connection_info(&self) -> ConnectionInfo {
        self.info.clone()
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }
}

/// Shows the address without user and password.
impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "redis://{}/{}", self.info.addr(), self.info.redis_settings().db())
    }
}
