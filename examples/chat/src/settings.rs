//! The chat's own settings; those of the server are the framework's (`HOST`, `PORT`, ..).

use std::path::PathBuf;
use std::time::Duration;

use agentcore::{Env, Result};

use crate::tokens::Tokens;

/// What can be set through the environment or `.env`.
pub(crate) struct ChatSettings {
    /// `CHAT_DB` (`chat.db`): the database file, `:memory:` for one that ends with the process.
    pub(crate) db: PathBuf,
    /// `CHAT_RATE_MESSAGES` (30) in `CHAT_RATE_SECONDS` (60): how much a user may send.
    pub(crate) rate_messages: u32,
    pub(crate) rate_window: Duration,
    /// `CHAT_SECRET` (none): with it users need a token; without it, everybody is who they say they are.
    pub(crate) tokens: Option<Tokens>,
    /// `CHAT_DEMO_TOKENS` (off): whoever asks for a token gets it.
    pub(crate) demo_tokens: bool,
}

impl ChatSettings {
    /// Reads them.
    ///
    /// # Errors
    /// All that are bad, a line each.
    pub(crate) fn load() -> Result<Self> {
        let mut env = Env::load()?;
        let settings = Self {
            db: env.get("CHAT_DB").unwrap_or_else(|| "chat.db".to_owned()).into(),
            rate_messages: env.number("CHAT_RATE_MESSAGES", 30, 1, 100_000),
            rate_window: env.seconds("CHAT_RATE_SECONDS", Duration::from_secs(60), 1, 86_400),
            tokens: env.get("CHAT_SECRET").and_then(|secret| {
                let tokens = Tokens::new(&secret);
                // The secret itself stays out of the terminal.
                tokens.map_err(|error| env.refuse("CHAT_SECRET", "..", format!("better: {error}"))).ok()
            }),
            demo_tokens: env.flag("CHAT_DEMO_TOKENS", false),
        };
        env.finish(settings)
    }

    /// How many times the limit the exempt messages have: typing and lists are free, a flood of them is not. About 1,000
    /// in the same time, which no page comes near.
    pub(crate) fn exempt_ceiling(&self) -> u32 {
        (1000 / self.rate_messages).max(10)
    }
}
