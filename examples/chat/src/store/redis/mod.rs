//! The store in Redis, for nodes on any number of machines: rooms, admissions, names of users, and the last 1,000
//! messages of each room.
//!
//! Redis' own persistence decides whether the data survives a restart of Redis.
//!
//! A call takes at most one second (`connection`). A call that has failed has stored nothing, even if Redis was blocked
//! and executes it later: each script checks its caller's deadline first (`lua/check_deadline.lua`). The one exception
//! is a call that was executed and whose answer was lost.

use std::collections::HashMap;
use std::sync::Arc;

use redis::Client;

use self::connection::LazyConnection;
use self::error::in_room;
use self::keys::Keys;
use super::{Cause, ChatStore, Creation, NewMessage, Room, StoreError, StoreFuture, StoredMessage};

mod address;
mod connection;
mod error;
mod keys;
mod messages;
mod rooms;
mod scripts;
#[cfg(test)]
mod tests;
mod trial;
mod users;

pub(crate) use self::address::RedisAddress;

/// Version of the keys and their values; a Redis with another version is refused.
const VERSION: &str = "1";

/// A [`ChatStore`] in Redis.
#[derive(Clone, Debug)]
pub(crate) struct RedisStore {
    connection: Arc<LazyConnection>,
    keys: Keys,
}

impl RedisStore {
    /// Connects, checks the version of the keys, and tries every command once.
    ///
    /// # Errors
    ///
    /// [`StoreError::Open`] with the server's address: it does not answer, its keys have another version, or it does not
    /// permit a command.
    pub(crate) async fn open(address: &RedisAddress) -> Result<Self, StoreError> {
        // Only the text: the `Display` of a Redis error already contains its source.
        let cannot_open = |reason: String| {
            let source = Cause::from(Box::<dyn std::error::Error + Send + Sync>::from(reason));
            StoreError::Open { location: address.to_string(), source }
        };
        let client = Client::open(address.connection_info()).map_err(|error| cannot_open(error.to_string()))?;
        let store = Self { connection: Arc::new(LazyConnection::new(client)), keys: Keys::new(address.prefix()) };
        let key = store.keys.version();
        let version = async {
            store.check_mode().await?;
            let found = store.connection.call(async |mut call| {
                let mut commands = redis::pipe();
                commands.cmd("SET").arg(&key).arg(VERSION).arg("NX").ignore().cmd("GET").arg(&key);
                let [version]: [String; 1] = commands.query_async(&mut call.redis).await?;
                Ok(version)
            });
            found.await
        };
        let opened = match version.await {
            Ok(version) if version == VERSION => store.try_all().await,
            Ok(version) => {
                Err(cannot_open(format!("its keys have version {version}, this chat supports version {VERSION}")))
            }
            Err(error) => Err(error),
        };
        match opened {
            Ok(()) => Ok(store),
            Err(StoreError::Unavailable(cause) | StoreError::Failed(cause)) => Err(cannot_open(cause.to_string())),
            Err(error) => Err(error),
        }
    }
}

impl ChatStore for RedisStore {
    fn append_message(&self, message: NewMessage) -> StoreFuture<'_, StoredMessage> {
        Box::pin(async move {
            let appended = self.connection.call(|call| messages::append(call, &self.keys, &message)).await;
            appended.map_err(|error| in_room(error, &message.room))
        })
    }

    fn recent_messages(&self, room: &str, limit: u32) -> StoreFuture<'_, Vec<StoredMessage>> {
        let room = room.to_owned();
        Box::pin(async move { self.connection.call(|call| messages::recent(call, &self.keys, &room, limit)).await })
    }

    fn recent_page(&self, room: &str, limit: u32, max_bytes: usize) -> StoreFuture<'_, Vec<StoredMessage>> {
        let room = room.to_owned();
        Box::pin(async move {
            self.connection.call(|call| messages::recent_page(call, &self.keys, &room, limit, max_bytes)).await
        })
    }

    fn messages_after(&self, room: &str, id: &str, limit: u32) -> StoreFuture<'_, Vec<StoredMessage>> {
        let (room, id) = (room.to_owned(), id.to_owned());
        Box::pin(async move { self.connection.call(|call| messages::after(call, &self.keys, &room, &id, limit)).await })
    }

    fn create_room(&self, name: &str, created_by: &str, is_public: bool) -> StoreFuture<'_, Creation> {
        let (name, created_by) = (name.to_owned(), created_by.to_owned());
        Box::pin(async move {
            self.connection.call(|call| rooms::create(call, &self.keys, &name, &created_by, is_public)).await
        })
    }

    fn room(&self, name: &str) -> StoreFuture<'_, Option<Room>> {
        let name = name.to_owned();
        Box::pin(async move { self.connection.call(|call| rooms::find(call, &self.keys, &name)).await })
    }

    fn visible_rooms(&self, user_id: &str, joined: Vec<String>, limit: usize) -> StoreFuture<'_, Vec<Room>> {
        let user_id = user_id.to_owned();
        Box::pin(async move {
            self.connection.call(|call| rooms::visible_to(call, &self.keys, &user_id, joined, limit)).await
        })
    }

    fn rooms_without_messages(&self, created_before: &str) -> StoreFuture<'_, Vec<Room>> {
        let created_before = created_before.to_owned();
        Box::pin(async move {
            let (mut found, mut from) = (Vec::new(), "-".to_owned());
            loop {
                // A call for each page: the whole list may take longer than one call may.
                let names = self.connection.call(|call| rooms::page_of_public(call, &self.keys, &from)).await?;
                let Some(last) = names.last() else { return Ok(found) };
                from = format!("({last}");
                let rooms = self.connection.call(|call| rooms::without_messages(call, &self.keys, names)).await?;
                found.extend(rooms.into_iter().filter(|room| room.is_public && room.created_at < created_before));
            }
        })
    }

    fn remove_without_messages(&self, room: &Room) -> StoreFuture<'_, bool> {
        let room = room.clone();
        Box::pin(
            async move { self.connection.call(|call| rooms::remove_without_messages(call, &self.keys, &room)).await },
        )
    }

    fn admit(&self, room: &str, user_id: &str) -> StoreFuture<'_, ()> {
        let (room, user_id) = (room.to_owned(), user_id.to_owned());
        Box::pin(async move {
            let admitted = self.connection.call(|call| rooms::admit(call, &self.keys, &room, &user_id)).await;
            admitted.map_err(|error| in_room(error, &room))
        })
    }

    fn may_enter(&self, room: &str, user_id: &str) -> StoreFuture<'_, bool> {
        let (room, user_id) = (room.to_owned(), user_id.to_owned());
        Box::pin(async move { self.connection.call(|call| rooms::may_enter(call, &self.keys, &room, &user_id)).await })
    }

    fn save_user(&self, user_id: &str, username: &str) -> StoreFuture<'_, ()> {
        let (user_id, username) = (user_id.to_owned(), username.to_owned());
        Box::pin(async move { self.connection.call(|call| users::save(call, &self.keys, &user_id, &username)).await })
    }

    fn usernames(&self, user_ids: Vec<String>) -> StoreFuture<'_, HashMap<String, String>> {
        Box::pin(async move { self.connection.call(|call| users::names(call, &self.keys, user_ids)).await })
    }
}
