//! Opens the store at a location.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::redis::{RedisAddress, RedisStore};
use super::sqlite::{ProcessLock, SqliteStore};
use super::{Store, StoreError};

/// The location of a store.
#[derive(Clone)]
pub(crate) enum StoreLocation {
    /// A SQLite file; `:memory:` is a store that ends with the process.
    Sqlite(PathBuf),
    Redis(Box<RedisAddress>),
}

impl StoreLocation {
    /// Opens the store, creating it if it is missing.
    ///
    /// # Errors
    ///
    /// [`StoreError::Open`] with the location.
    pub(crate) async fn open(&self) -> Result<Store, StoreError> {
        Ok(match self {
            Self::Sqlite(path) => Arc::new(SqliteStore::open(path).await?),
            Self::Redis(address) => Arc::new(RedisStore::open(address).await?),
        })
    }

    /// Locks the file of the store against processes that do not share this one's backend, and warns if there is one.
    ///
    /// Such processes share rooms and messages, but their users neither see nor hear each other.
    pub(crate) fn lock(&self, is_single_node: bool) -> Option<ProcessLock> {
        let Self::Sqlite(path) = self else { return None };
        if path == Path::new(":memory:") {
            return None;
        }
        match ProcessLock::acquire(path, is_single_node) {
            Ok(Some(lock)) => return Some(lock),
            Ok(None) => tracing::warn!(
                "another process uses {path:?}, and the users of the two do not reach each other: set BACKEND_TYPE=redis \
                 in both, or give each a CHAT_DB of its own"
            ),
            Err(error) => tracing::debug!("cannot find out whether another process uses {path:?}: {error}"),
        }
        None
    }
}
