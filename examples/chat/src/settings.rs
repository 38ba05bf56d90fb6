//! The chat's own settings; those of the server are the framework's (`HOST`, `PORT`, ..).

use std::path::PathBuf;

use agentcore::{Env, Result};

/// What can be set through the environment or `.env`.
pub(crate) struct ChatSettings {
    /// `CHAT_DB` (`chat.db`): the database file, `:memory:` for one that ends with the process.
    pub(crate) db: PathBuf,
}

impl ChatSettings {
    /// Reads them.
    ///
    /// # Errors
    /// All that are bad, a line each.
    pub(crate) fn load() -> Result<Self> {
        let env = Env::load()?;
        let settings = Self { db: env.get("CHAT_DB").unwrap_or_else(|| "chat.db".to_owned()).into() };
        env.finish(settings)
    }
}
