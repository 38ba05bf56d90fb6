//! The data that survives a restart: users, rooms, admissions to private rooms, and messages.
//!
//! [`ChatStore`] is the contract; `sqlite` and `redis` implement it. Connections and joins are not stored: they end
//! with the process.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use agentcore::Supervisor;

mod error;
mod location;
mod message_id;
mod redis;
mod sqlite;
#[cfg(test)]
mod tests;

pub(crate) use error::{Cause, StoreError};
pub(crate) use location::StoreLocation;
pub(crate) use redis::RedisAddress;

/// The store as a state of the application.
pub(crate) type Store = Arc<dyn ChatStore>;

/// The result of a call to a [`ChatStore`]; boxed, because `dyn ChatStore` cannot have `async` methods.
pub(crate) type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Stores the data of the chat.
///
/// A write that has returned `Ok` is visible to every later call, on every node that uses the same store. A write that
/// has returned an error has stored nothing.
///
/// A store accepts any text as a name; callers check names against the chat's rules.
///
/// # Cancel safety
///
/// A write whose future is dropped may or may not be stored. Reads can be dropped at any time.
pub(crate) trait ChatStore: Send + Sync {
    /// Stores a message and returns it with its `id` and `timestamp`.
    ///
    /// Within a room, ids rise in the order of storing, across nodes and independent of their clocks, so that
    /// [`messages_after`](Self::messages_after) never misses a message.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchRoom`] if the room was never created.
    fn append_message(&self, message: NewMessage) -> StoreFuture<'_, StoredMessage>;

    /// Returns the last `limit` messages of a room, oldest first; none for an unknown room.
    fn recent_messages(&self, room: &str, limit: u32) -> StoreFuture<'_, Vec<StoredMessage>>;

    /// Returns the last messages of a room, oldest first: at most `limit`, and at most `max_bytes` of JSON.
    ///
    /// It is slower than [`recent_messages`](Self::recent_messages) and does not delay other calls.
    fn recent_page(&self, room: &str, limit: u32, max_bytes: usize) -> StoreFuture<'_, Vec<StoredMessage>>;

    /// Returns the first `limit` messages of a room after the one with this `id`, oldest first.
    fn messages_after(&self, room: &str, id: &str, limit: u32) -> StoreFuture<'_, Vec<StoredMessage>>;

    /// Creates a room and admits its creator, or returns the existing room of this name.
    ///
    /// Of several simultaneous calls with one name, exactly one returns [`Creation::Created`].
    fn create_room(&self, name: &str, created_by: &str, is_public: bool) -> StoreFuture<'_, Creation>;

    /// Returns the room of this name.
    fn room(&self, name: &str) -> StoreFuture<'_, Option<Room>>;

    /// Returns up to `limit` rooms: those of the names in `joined`, then the rooms that admit the user, then the public
    /// ones; the rooms of each kind are sorted by name.
    fn visible_rooms(&self, user_id: &str, joined: Vec<String>, limit: usize) -> StoreFuture<'_, Vec<Room>>;

    /// Returns the public rooms without messages that were created before this time.
    fn rooms_without_messages(&self, created_before: &str) -> StoreFuture<'_, Vec<Room>>;

    /// Removes this room, unless it has messages. Returns whether it was removed; a newer room of the same name stays.
    fn remove_without_messages(&self, room: &Room) -> StoreFuture<'_, bool>;

    /// Admits a user to a private room; a repeated call changes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchRoom`] if the room was never created.
    fn admit(&self, room: &str, user_id: &str) -> StoreFuture<'_, ()>;

    /// Returns whether the room exists and is public or admits the user.
    fn may_enter(&self, room: &str, user_id: &str) -> StoreFuture<'_, bool>;

    /// Stores the user's current name.
    fn save_user(&self, user_id: &str, username: &str) -> StoreFuture<'_, ()>;

    /// Returns the stored names of these users, by id; an unknown user is left out.
    fn usernames(&self, user_ids: Vec<String>) -> StoreFuture<'_, HashMap<String, String>>;

    /// Lists the threads of the store, if it has any, among the tasks of the node.
    fn supervise(&self, _supervisor: &Supervisor) {}
}

/// A message to store.
#[derive(Clone, Debug)]
pub(crate) struct NewMessage {
    pub(crate) room: String,
    pub(crate) user_id: String,
    pub(crate) username: String,
    pub(crate) text: String,
}

/// A message that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredMessage {
    /// A UUIDv7 in its form of 36 characters. Ids of a room sort as text in the order of storing.
    pub(crate) id: String,
    pub(crate) room: String,
    pub(crate) user_id: String,
    pub(crate) username: String,
    pub(crate) text: String,
    /// The time of storing: RFC 3339, UTC, with milliseconds.
    pub(crate) timestamp: String,
}

/// Maximum size of a message in a page, besides its text and its author's name, in bytes of JSON: names of fields, the
/// room, the user's id, the id and the timestamp.
const MESSAGE_OVERHEAD: usize = 300;

/// A room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) name: String,
    /// The id of the user who created the room.
    pub(crate) created_by: String,
    /// Whether everyone may see and enter the room.
    pub(crate) is_public: bool,
    /// RFC 3339, UTC, with milliseconds.
    pub(crate) created_at: String,
}

/// The outcome of [`ChatStore::create_room`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Creation {
    /// The room is new.
    Created(Room),
    /// A room of this name existed already; it keeps its creator and visibility.
    Exists(Room),
}
