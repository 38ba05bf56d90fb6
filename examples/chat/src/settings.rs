//! The chat's own settings; those of the server are the framework's (`HOST`, `PORT`, ..).

use std::env;
use std::path::PathBuf;

/// What can be set through the environment.
pub(crate) struct ChatSettings {
    /// `CHAT_DB` (`chat.db`): the database file, `:memory:` for one that ends with the process.
    pub(crate) db: PathBuf,
}

impl ChatSettings {
    /// Reads the environment; an empty value counts as not set.
    pub(crate) fn from_env() -> Self {
        let db = env::var_os("CHAT_DB").filter(|db| !db.is_empty());
        Self { db: db.unwrap_or_else(|| "chat.db".into()).into() }
    }
}
