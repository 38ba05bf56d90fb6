//! The errors of a store.

use std::sync::Arc;
use std::{error, fmt};

/// An error of a [`ChatStore`](super::ChatStore).
///
/// Its `source` is the cause, for the log only: it may name files and servers.
#[derive(Clone, Debug)]
pub(crate) enum StoreError {
    /// The store cannot be opened.
    Open {
        /// The file or the server.
        location: String,
        source: Cause,
    },
    /// Nothing was stored; a later attempt may succeed. The disk is full, the database is locked, Redis does not
    /// answer.
    Unavailable(Cause),
    /// The room was never created.
    NoSuchRoom(String),
    /// Nothing was stored, and a later attempt would fail too.
    Failed(Cause),
}

/// The cause of a [`StoreError`]; shared, because one failed transaction fails the calls of several clients.
pub(crate) type Cause = Arc<dyn error::Error + Send + Sync>;

impl StoreError {
    /// Returns whether the same call may succeed later.
    pub(crate) fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { location, .. } => write!(f, "cannot open the chat store `{location}`"),
            Self::Unavailable(_) => f.write_str("the chat store is not available at the moment"),
            Self::NoSuchRoom(room) => write!(f, "there is no room `{room}`"),
            Self::Failed(_) => f.write_str("the chat store failed"),
        }
    }
}

impl error::Error for StoreError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Open { source, .. } | Self::Unavailable(source) | Self::Failed(source) => Some(&**source),
            Self::NoSuchRoom(_) => None,
        }
    }
}
