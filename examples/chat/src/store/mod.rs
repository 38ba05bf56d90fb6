//! What outlives a restart: users, rooms, who may enter a private room, and messages.
//!
//! This module says what the chat needs from a store; it comes with two, `sqlite` and `redis`.
//! Who is connected, and who has joined which room, is not kept here: that ends with the connection.

use std::{collections::HashMap, error, fmt, future::Future, path::PathBuf, pin::Pin, sync::Arc};

use self::{redis::Redis, sqlite::Sqlite};

pub(crate) mod redis;
mod sqlite;
#[cfg(test)]
mod tests;

/// A store as the chat passes it around.
pub(crate) type Store = Arc<dyn ChatStore>;

/// Where a store is.
#[derive(Clone)]
pub(crate) enum Place {
    /// In a file of SQLite; `:memory:` ends with the process.
    Sqlite(PathBuf),
    /// In Redis.
    Redis(Box<redis::Address>),
}

impl Place {
    /// Opens the store that is there, or makes a new one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Open`], naming the place.
    pub(crate) async fn open(&self) -> Result<Store, StoreError> {
        Ok(match self {
            Self::Sqlite(path) => Arc::new(Sqlite::open(path).await?),
            Self::Redis(address) => Arc::new(Redis::open(address).await?),
        })
    }
}

/// What a call of a [`ChatStore`] returns: boxed, so that the chat can hold any store as an `Arc<dyn ChatStore>`.
pub(crate) type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Keeps what the chat must not forget.
///
/// A call that has returned `Ok` is stored and can be seen by every later call, on every node that uses the same store.
/// A call that has returned an error has stored nothing.
///
/// Names and texts are data: a store accepts any text, and the rules for them are the caller's.
///
/// # Cancel safety
///
/// Dropping the future of a writing call leaves open whether it is stored. Reading calls can be dropped at any time.
pub(crate) trait ChatStore: Send + Sync {
    /// Stores a message and returns it with the `id` and `timestamp` that it got.
    ///
    /// Within a room every message gets a greater id than those stored before it, whichever node stored them and
    /// whatever the clock does, so that [`after`](Self::after) never passes one over.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchRoom`] if the room was never created.
    fn append(&self, draft: Draft) -> StoreFuture<'_, Message>;

    /// Returns the last `limit` messages of a room, oldest first; none for an unknown room.
    fn recent(&self, room: &str, limit: u32) -> StoreFuture<'_, Vec<Message>>;

    /// Returns the first `limit` messages of a room that came after the one with this `id`, oldest first.
    fn after(&self, room: &str, id: &str, limit: u32) -> StoreFuture<'_, Vec<Message>>;

    /// Creates a room and admits its creator, or returns the room that has this name already.
    ///
    /// Of two simultaneous calls with one name exactly one is told [`Creation::Created`].
    fn create_room(&self, name: &str, created_by: &str, is_public: bool) -> StoreFuture<'_, Creation>;

    /// Returns the room that has this name.
    fn room(&self, name: &str) -> StoreFuture<'_, Option<Room>>;

    /// Returns the public rooms and those that the user is admitted to, by name, at most `limit`.
    fn visible_rooms(&self, user_id: &str, limit: u32) -> StoreFuture<'_, Vec<Room>>;

    /// Lets a user enter a private room from now on; admitting twice is admitting once.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchRoom`] if the room was never created.
    fn admit(&self, room: &str, user_id: &str) -> StoreFuture<'_, ()>;

    /// Tells whether the room exists and is public or has admitted the user.
    fn may_enter(&self, room: &str, user_id: &str) -> StoreFuture<'_, bool>;

    /// Keeps the user, and the name under which the user came last.
    fn remember_user(&self, user_id: &str, username: &str) -> StoreFuture<'_, ()>;

    /// Returns the names that are kept of these users, by id; who never came has none.
    fn usernames(&self, user_ids: Vec<String>) -> StoreFuture<'_, HashMap<String, String>>;
}

/// A message that is to be stored.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) room: String,
    pub(crate) user_id: String,
    pub(crate) username: String,
    pub(crate) text: String,
}

/// A message as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// A UUIDv7 in its usual form of 36 characters; as text it sorts in the order of storing.
    pub(crate) id: String,
    pub(crate) room: String,
    pub(crate) user_id: String,
    pub(crate) username: String,
    pub(crate) text: String,
    /// When it was stored: RFC 3339, UTC, with milliseconds.
    pub(crate) timestamp: String,
}

/// A room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) name: String,
    /// The user who created it.
    pub(crate) created_by: String,
    /// Whether it is listed for everyone and everyone may enter.
    pub(crate) is_public: bool,
    /// RFC 3339, UTC, with milliseconds.
    pub(crate) created_at: String,
}

/// What became of [`ChatStore::create_room`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Creation {
    /// The room is new.
    Created(Room),
    /// A room of this name was there, with its own creator and visibility.
    Exists(Room),
}

/// Why the store did not do something.
///
/// The cause is in `source`, for the log; it may name files and is not for clients.
#[derive(Clone, Debug)]
pub(crate) enum StoreError {
    /// The store cannot be opened.
    Open {
        /// The file, or the place, that was asked for.
        place: String,
        /// Why not.
        source: Cause,
    },
    /// Nothing was stored, and trying again later may help: the disk is full, the database is locked, Redis is away.
    Unavailable(Cause),
    /// The room was never created.
    NoSuchRoom(String),
    /// Nothing was stored, and trying again will not help.
    Failed(Cause),
}

/// The error below a [`StoreError`]; shared, because one failed transaction fails the calls of many.
pub(crate) type Cause = Arc<dyn error::Error + Send + Sync>;

impl StoreError {
    /// Tells whether the same call may succeed later.
    pub(crate) fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { place, .. } => write!(f, "cannot open the chat store `{place}`"),
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
