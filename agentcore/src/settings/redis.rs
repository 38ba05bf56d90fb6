//! The address of the Redis server, and the prefix of its keys.

use std::fmt;
use std::str::FromStr;

/// The value of `REDIS_URL`: `redis://[user[:password]@]host[:port][/database]`, or `rediss://` for TLS (feature
/// `redis-tls`).
///
/// A query is rejected, since options there would have no effect. `Display` and `Debug` leave out the user and the
/// password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

/// The error of a text that is not a Redis URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("redis://[user[:password]@]host[:port][/database], or rediss:// for TLS, and no query")]
pub struct RedisUrlError;

impl Default for RedisUrl {
    fn default() -> Self {
        Self("redis://localhost:6379/0".to_owned())
    }
}

impl FromStr for RedisUrl {
    type Err = RedisUrlError;

    fn from_str(text: &str) -> Result<Self, RedisUrlError> {
        without_secret(text).map(|_| Self(text.to_owned())).ok_or(RedisUrlError)
    }
}

impl RedisUrl {
    /// Returns the whole URL, including the password.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RedisUrl {
    /// Writes the scheme, the host, the port and the database.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(without_secret(&self.0).as_deref().unwrap_or("redis://"))
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Returns the URL without user and password; `None` if it is not valid.
#[cfg(feature = "redis")]
fn without_secret(text: &str) -> Option<String> {
    let url = url::Url::parse(text).ok()?;
    let database = url.path().trim_matches('/');
    let is_valid = matches!(url.scheme(), "redis" | "rediss")
        && url.query().is_none()
        && (database.is_empty() || database.parse::<u16>().is_ok());
    let host = url.host_str().filter(|_| is_valid)?;
    Some(format!("{}://{host}:{}{}", url.scheme(), url.port().unwrap_or(6379), url.path()))
}

/// Returns the URL without user and password; `None` if it is not valid. Nothing connects without the feature `redis`,
/// so only the scheme is checked.
#[cfg(not(feature = "redis"))]
fn without_secret(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let address = rest.rsplit('@').next()?;
    matches!(scheme, "redis" | "rediss").then(|| format!("{scheme}://{address}"))
}

/// The value of `REDIS_CHANNEL_PREFIX`: the prefix of all keys and channels. Applications with different prefixes can
/// use one Redis server without sharing anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisPrefix(String);

/// The error of an invalid prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("1 to 64 ASCII letters, digits, `:`, `-`, `_` and `.`, such as ws:")]
pub struct RedisPrefixError;

impl Default for RedisPrefix {
    fn default() -> Self {
        Self("ws:".to_owned())
    }
}

impl FromStr for RedisPrefix {
    type Err = RedisPrefixError;

    fn from_str(text: &str) -> Result<Self, RedisPrefixError> {
        let is_valid = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":-_.".contains(&byte));
        if is_valid { Ok(Self(text.to_owned())) } else { Err(RedisPrefixError) }
    }
}

impl RedisPrefix {
    /// Returns the prefix as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops where it fails")]
mod tests {
    use super::*;

    #[test]
    fn a_url_never_shows_its_password() {
        let url: RedisUrl = "redis://ada:secret@redis.example:6380/2".parse().unwrap();
        assert_eq!(format!("{url} {url:?}"), "redis://redis.example:6380/2 redis://redis.example:6380/2");
        for bad in ["localhost", "http://localhost", "redis://", "redis://localhost/two", "redis://localhost?db=2"] {
            assert!(bad.parse::<RedisUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_prefix_with_special_characters_is_rejected() {
        for good in ["ws:", "app-1.chat_2:", "x"] {
            assert!(good.parse::<RedisPrefix>().is_ok(), "{good}");
        }
        for bad in ["", "a b", "{ws}", "ws*", "ws:\u{e9}"] {
            assert!(bad.parse::<RedisPrefix>().is_err(), "{bad}");
        }
    }
}
