//! Opens the store at a location.

use std::path::PathBuf;
use std::sync::Arc;

use super::redis::{RedisAddress, RedisStore};
use super::sqlite::SqliteStore;
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
}
