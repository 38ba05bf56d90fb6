//! The address of the Redis that holds the store.

use std::fmt;

use agentcore::settings::RedisUrl;
use redis::io::tcp::TcpSettings;
use redis::{ConnectionInfo, IntoConnectionInfo};

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
        // Each call is a small write whose answer a client waits for.
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
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
