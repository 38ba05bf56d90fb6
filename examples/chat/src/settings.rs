//! The chat's own settings; those of the server are the framework's (`HOST`, `PORT`, ..).

use std::time::Duration;

use agentcore::settings::RedisUrl;
use agentcore::{Env, Result};

use crate::auth::Tokens;
use crate::http::publish::PublishKey;
use crate::store::{Place, redis};

/// What can be set through the environment or `.env`.
pub(crate) struct ChatSettings {
    /// `CHAT_STORE` (`sqlite`): in the file `CHAT_DB` (`chat.db`), or in Redis, where `REDIS_URL` and
    /// `REDIS_CHANNEL_PREFIX` say.
    pub(crate) store: Place,
    /// `CHAT_RATE_MESSAGES` (30) in `CHAT_RATE_SECONDS` (60): how much a user may send.
    pub(crate) rate_messages: u32,
    pub(crate) rate_window: Duration,
    /// `CHAT_SECRET` (none): with it users need a token; without it, everybody is who they say they are.
    pub(crate) tokens: Option<Tokens>,
    /// `CHAT_DEMO_TOKENS` (off): whoever asks for a token gets it.
    pub(crate) demo_tokens: bool,
    /// `CHAT_PUBLISH_KEY` (none): with it, other programs may send messages to those who are connected.
    pub(crate) publish_key: Option<PublishKey>,
}

impl ChatSettings {
    /// Reads them.
    ///
    /// # Errors
    /// All that are bad, a line each.
    pub(crate) fn load() -> Result<Self> {
        Self::read(Env::load()?)
    }

    fn read(mut env: Env<'_>) -> Result<Self> {
        let settings = Self {
            store: place(&mut env),
            rate_messages: env.number("CHAT_RATE_MESSAGES", 30, 1, 100_000),
            rate_window: env.seconds("CHAT_RATE_SECONDS", Duration::from_secs(60), 1, 86_400),
            tokens: env.get("CHAT_SECRET").and_then(|secret| {
                let tokens = Tokens::new(&secret);
                // The secret itself stays out of the terminal.
                tokens.map_err(|error| env.reject("CHAT_SECRET", "..", format!("better: {error}"))).ok()
            }),
            demo_tokens: env.flag("CHAT_DEMO_TOKENS", false),
            publish_key: env.get("CHAT_PUBLISH_KEY").and_then(|key| {
                PublishKey::new(&key).map_err(|error| env.reject("CHAT_PUBLISH_KEY", "..", error)).ok()
            }),
        };
        env.finish(settings)
    }

    /// How many times the limit the exempt messages have: typing and lists are free, a flood of them is not. About 1,000
    /// in the same time, which no page comes near.
    pub(crate) fn exempt_ceiling(&self) -> u32 {
        (1000 / self.rate_messages).max(10)
    }
}

fn place(env: &mut Env<'_>) -> Place {
    let db = env.get("CHAT_DB").unwrap_or_else(|| "chat.db".to_owned());
    if env.one_of("CHAT_STORE", false, &[("sqlite", false), ("redis", true)]) {
        let url = env.get("REDIS_URL").map_or_else(|| Ok(RedisUrl::default()), |url| url.parse());
        let prefix = env.get("REDIS_CHANNEL_PREFIX").unwrap_or_else(|| "ws:".to_owned());
        let address = url.map_err(|error| error.to_string()).and_then(|url| redis::Address::new(&url, &prefix));
        match address {
            Ok(address) => return Place::Redis(Box::new(address)),
            // The URL itself stays out of the terminal: it may have a password.
            Err(error) => env.reject("REDIS_URL", "..", error),
        }
    } else if db == ":memory:" && env.get("BACKEND_TYPE").is_some_and(|backend| backend.eq_ignore_ascii_case("redis")) {
        // Nodes with a store each would disagree on who may enter a private room.
        env.reject("CHAT_DB", &db, "a file that all nodes have, with BACKEND_TYPE=redis; or set CHAT_STORE=redis");
    }
    Place::Sqlite(db.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[(&str, &str)]) -> Result<ChatSettings, String> {
        let value = |name: &str| values.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        ChatSettings::read(Env::from_values(value)).map_err(|error| error.to_string())
    }

    #[test]
    fn nodes_that_share_a_backend_share_a_store() {
        let backend = ("BACKEND_TYPE", "redis");
        let refused = read(&[backend, ("CHAT_DB", ":memory:")]).err().unwrap_or_default();
        assert!(refused.contains("CHAT_DB=\":memory:\": must be a file that all nodes have"), "{refused}");
        for good in [&[backend][..], &[backend, ("CHAT_DB", "a.db")], &[("CHAT_DB", ":memory:")]] {
            assert!(matches!(read(good), Ok(ChatSettings { store: Place::Sqlite(_), .. })), "{good:?}");
        }
        let in_redis = read(&[backend, ("CHAT_STORE", "redis"), ("CHAT_DB", ":memory:")]);
        assert!(matches!(in_redis, Ok(ChatSettings { store: Place::Redis(_), .. })));
    }

    #[test]
    fn a_url_is_refused_without_its_password() {
        let url = ("REDIS_URL", "http://ada:hunter2@localhost");
        let refused = read(&[("CHAT_STORE", "redis"), url]).err().unwrap_or_default();
        assert!(refused.contains("REDIS_URL=\"..\": must be redis://["), "{refused}");
        assert!(!refused.contains("hunter2"), "{refused}");
        assert!(read(&[("CHAT_STORE", "paper")]).err().unwrap_or_default().contains("one of: sqlite, redis"));
    }
}
