//! The chat's own settings. The framework reads those of the server (`HOST`, `PORT`, ..).

use std::time::Duration;

use agentcore::settings::RedisUrl;
use agentcore::{Env, Result, Settings};

use crate::auth::{PublishKey, Tokens};
use crate::store::{RedisAddress, StoreLocation};

/// Settings from the environment or `.env`.
pub(crate) struct ChatSettings {
    /// `CHAT_STORE` (`sqlite`): the file `CHAT_DB` (`chat.db`), or Redis with `REDIS_URL` and `REDIS_CHANNEL_PREFIX`.
    pub(crate) store: StoreLocation,
    /// Whether the backend connects no other nodes (`BACKEND_TYPE` is not `redis`).
    pub(crate) is_single_node: bool,
    /// `CHAT_RATE_MESSAGES` (30): messages that a user may send in the window.
    pub(crate) rate_messages: u32,
    /// `CHAT_RATE_SECONDS` (60): length of the window.
    pub(crate) rate_window: Duration,
    /// `CHAT_SECRET` (none): users need a token that is signed with it; without it, any client may be any user.
    pub(crate) tokens: Option<Tokens>,
    /// `CHAT_DEMO_TOKENS` (false): anyone can get a token for any user.
    pub(crate) demo_tokens: bool,
    /// `CHAT_PUBLISH_KEY` (none): other programs that have it may send messages to connected clients.
    pub(crate) publish_key: Option<PublishKey>,
}

/// Default of `WS_MAX_MESSAGE_SIZE`, in bytes: the longest text, 4,000 characters, has at most 48,000 as JSON.
const MAX_MESSAGE: usize = 64 * 1024;

/// Reads the framework's settings, with the chat's own default of `WS_MAX_MESSAGE_SIZE`.
///
/// # Errors
/// All invalid settings, one line each.
pub(crate) fn server_settings() -> Result<Settings> {
    let mut settings = Settings::from_env()?;
    if Env::load()?.get("WS_MAX_MESSAGE_SIZE").is_none() {
        settings.ws_max_message_size = MAX_MESSAGE;
    }
    Ok(settings)
}

impl ChatSettings {
    /// Reads the settings.
    ///
    /// # Errors
    /// All invalid settings, one line each.
    pub(crate) fn load() -> Result<Self> {
        Self::read(Env::load()?)
    }

    fn read(mut env: Env<'_>) -> Result<Self> {
        let settings = Self {
            store: store_location(&mut env),
            is_single_node: !has_redis_backend(&env),
            rate_messages: env.number("CHAT_RATE_MESSAGES", 30, 1, 100_000),
            rate_window: env.seconds("CHAT_RATE_SECONDS", Duration::from_secs(60), 1, 86_400),
            tokens: trimmed(&mut env, "CHAT_SECRET").and_then(|secret| {
                let tokens = Tokens::new(&secret);
                // The error must not print the secret.
                tokens.map_err(|error| env.reject("CHAT_SECRET", "..", format!("stronger: {error}"))).ok()
            }),
            demo_tokens: env.flag("CHAT_DEMO_TOKENS", false),
            publish_key: trimmed(&mut env, "CHAT_PUBLISH_KEY").and_then(|key| {
                PublishKey::new(&key).map_err(|error| env.reject("CHAT_PUBLISH_KEY", "..", error)).ok()
            }),
        };
        env.finish(settings)
    }

    /// Returns the limit of exempt messages, as a multiple of the rate limit. It allows about 1,000 messages in the
    /// window, far more than a page sends, and stops a flood.
    pub(crate) fn exempt_ceiling(&self) -> u32 {
        (1000 / self.rate_messages).max(10)
    }
}

/// Returns the value of a variable that has no white space at its ends.
///
/// A value that is read from a file often has a line end after it. As a part of a secret it would make every token
/// invalid, and no error would say why.
fn trimmed(env: &mut Env<'_>, name: &str) -> Option<String> {
    let value = env.get(name)?;
    if value.trim() == value {
        return Some(value);
    }
    // The error must not print a secret.
    env.reject(name, "..", "without white space (space, tab, line end) at its beginning and its end");
    None
}

fn store_location(env: &mut Env<'_>) -> StoreLocation {
    let db = trimmed(env, "CHAT_DB").unwrap_or_else(|| "chat.db".to_owned());
    if env.one_of("CHAT_STORE", false, &[("sqlite", false), ("redis", true)]) {
        let url = env.get("REDIS_URL").map_or_else(|| Ok(RedisUrl::default()), |url| url.parse());
        let prefix = env.get("REDIS_CHANNEL_PREFIX").unwrap_or_else(|| "ws:".to_owned());
        let address = url.map_err(|error| error.to_string()).and_then(|url| RedisAddress::new(&url, &prefix));
        match address {
            Ok(address) => return StoreLocation::Redis(Box::new(address)),
            // The error must not print the URL, which may have a password.
            Err(error) => env.reject("REDIS_URL", "..", error),
        }
    } else if db == ":memory:" && has_redis_backend(env) {
        // Nodes with separate stores would disagree on who may enter a private room.
        env.reject(
            "CHAT_DB",
            &db,
            "a file that all nodes share, because BACKEND_TYPE is redis; or set CHAT_STORE=redis",
        );
    }
    StoreLocation::Sqlite(db.into())
}

fn has_redis_backend(env: &Env<'_>) -> bool {
    env.get("BACKEND_TYPE").is_some_and(|backend| backend.eq_ignore_ascii_case("redis"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[(&str, &str)]) -> Result<ChatSettings, String> {
        let value = |name: &str| values.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        ChatSettings::read(Env::from_values(value)).map_err(|error| error.to_string())
    }

    #[test]
    fn nodes_that_share_a_backend_must_share_a_store() {
        let backend = ("BACKEND_TYPE", "redis");
        let refused = read(&[backend, ("CHAT_DB", ":memory:")]).err().unwrap_or_default();
        assert!(refused.contains("CHAT_DB=\":memory:\": must be a file that all nodes share"), "{refused}");
        for valid in [&[backend][..], &[backend, ("CHAT_DB", "a.db")], &[("CHAT_DB", ":memory:")]] {
            assert!(matches!(read(valid), Ok(ChatSettings { store: StoreLocation::Sqlite(_), .. })), "{valid:?}");
        }
        let in_redis = read(&[backend, ("CHAT_STORE", "redis"), ("CHAT_DB", ":memory:")]);
        assert!(matches!(in_redis, Ok(ChatSettings { store: StoreLocation::Redis(_), .. })));
    }

    #[test]
    fn white_space_at_the_ends_of_a_text_is_refused() {
        let secret = "correct horse battery staple, 2 of them";
        for name in ["CHAT_SECRET", "CHAT_PUBLISH_KEY", "CHAT_DB"] {
            for value in [format!("{secret}\n"), format!("{secret} "), format!("\t{secret}"), format!("{secret}\r\n")] {
                let refused = read(&[(name, &value)]).err().unwrap_or_default();
                let rule = format!("{name}=\"..\": must be without white space");
                assert!(refused.contains(&rule) && !refused.contains("horse"), "{value:?}: {refused}");
            }
        }
        assert!(read(&[("CHAT_SECRET", secret)]).is_ok(), "white space inside of a secret is a part of it");
    }

    #[test]
    fn an_invalid_url_is_refused_and_its_password_is_not_shown() {
        let url = ("REDIS_URL", "http://ada:hunter2@localhost");
        let refused = read(&[("CHAT_STORE", "redis"), url]).err().unwrap_or_default();
        assert!(refused.contains("REDIS_URL=\"..\": must be redis://["), "{refused}");
        assert!(!refused.contains("hunter2"), "{refused}");
        assert!(read(&[("CHAT_STORE", "paper")]).err().unwrap_or_default().contains("one of: sqlite, redis"));
    }
}
