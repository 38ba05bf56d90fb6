//! The store in a SQLite file, for one process or for all nodes of a machine.
//!
//! SQLite calls block, so they run on threads of their own. One thread writes, and combines waiting writes into one
//! transaction (`worker`); a second one reads, so that a long history delays no message; a third one reads the pages of
//! histories over HTTP, so that they delay no join. A stored message survives a
//! crash of the process at any time. A power failure can lose the latest messages: waiting for the disk would take some
//! milliseconds a message.

use std::collections::HashMap;
use std::path::Path;

use agentcore::Supervisor;
use rusqlite::Connection;

use self::worker::Worker;
use super::{ChatStore, Creation, NewMessage, Room, StoreError, StoreFuture, StoredMessage};

mod error;
mod messages;
mod process_lock;
mod rooms;
mod schema;
#[cfg(test)]
mod tests;
mod users;
mod worker;

pub(crate) use self::process_lock::ProcessLock;

/// A [`ChatStore`] in a SQLite file; its threads end when the last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct SqliteStore {
    writer: Worker,
    reader: Worker,
    page_reader: Worker,
}

impl SqliteStore {
    /// Opens the file, creating it if it is missing; `:memory:` is a store that ends with the process.
    ///
    /// # Errors
    ///
    /// [`StoreError::Open`] with the path: the directory is missing, or the file is damaged, not a chat database, or of
    /// a later version of the chat.
    pub(crate) async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let writer = Worker::start("chat.store.write", path, schema::open).await?;
        // A second connection to `:memory:` would open a second, empty database.
        if path == Path::new(":memory:") {
            return Ok(Self { reader: writer.clone(), page_reader: writer.clone(), writer });
        }
        let reader = Worker::start("chat.store.read", path, schema::open_for_reading).await?;
        let page_reader = Worker::start("chat.store.page", path, schema::open_for_reading).await?;
        Ok(Self { writer, reader, page_reader })
    }

    fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        Box::pin(self.writer.write(work))
    }

    fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        Box::pin(self.reader.read(work))
    }
}

impl ChatStore for SqliteStore {
    fn append_message(&self, message: NewMessage) -> StoreFuture<'_, StoredMessage> {
        self.write(move |db| messages::append(db, &message))
    }

    fn recent_messages(&self, room: &str, limit: u32) -> StoreFuture<'_, Vec<StoredMessage>> {
        let room = room.to_owned();
        self.read(move |db| messages::recent(db, &room, limit))
    }

    fn recent_page(&self, room: &str, limit: u32, max_bytes: usize) -> StoreFuture<'_, Vec<StoredMessage>> {
        let room = room.to_owned();
        Box::pin(self.page_reader.read(move |db| messages::recent_page(db, &room, limit, max_bytes)))
    }

    fn messages_after(&self, room: &str, id: &str, limit: u32) -> StoreFuture<'_, Vec<StoredMessage>> {
        let (room, id) = (room.to_owned(), id.to_owned());
        self.read(move |db| messages::after(db, &room, &id, limit))
    }

    fn create_room(&self, name: &str, created_by: &str, is_public: bool) -> StoreFuture<'_, Creation> {
        let (name, created_by) = (name.to_owned(), created_by.to_owned());
        self.write(move |db| rooms::create(db, &name, &created_by, is_public))
    }

    fn room(&self, name: &str) -> StoreFuture<'_, Option<Room>> {
        let name = name.to_owned();
        self.read(move |db| rooms::find(db, &name))
    }

    fn visible_rooms(&self, user_id: &str, joined: Vec<String>, limit: usize) -> StoreFuture<'_, Vec<Room>> {
        let user_id = user_id.to_owned();
        self.read(move |db| rooms::visible_to(db, &user_id, &joined, limit))
    }

    fn rooms_without_messages(&self, created_before: &str) -> StoreFuture<'_, Vec<Room>> {
        let created_before = created_before.to_owned();
        Box::pin(self.page_reader.read(move |db| rooms::without_messages(db, &created_before)))
    }

    fn remove_without_messages(&self, room: &Room) -> StoreFuture<'_, bool> {
        let room = room.clone();
        self.write(move |db| rooms::remove_without_messages(db, &room))
    }

    fn admit(&self, room: &str, user_id: &str) -> StoreFuture<'_, ()> {
        let (room, user_id) = (room.to_owned(), user_id.to_owned());
        self.write(move |db| rooms::admit(db, &room, &user_id))
    }

    fn may_enter(&self, room: &str, user_id: &str) -> StoreFuture<'_, bool> {
        let (room, user_id) = (room.to_owned(), user_id.to_owned());
        self.read(move |db| rooms::may_enter(db, &room, &user_id))
    }

    fn save_user(&self, user_id: &str, username: &str) -> StoreFuture<'_, ()> {
        let (user_id, username) = (user_id.to_owned(), username.to_owned());
        self.write(move |db| users::save(db, &user_id, &username))
    }

    fn usernames(&self, user_ids: Vec<String>) -> StoreFuture<'_, HashMap<String, String>> {
        self.read(move |db| users::names(db, &user_ids))
    }

    fn supervise(&self, supervisor: &Supervisor) {
        self.writer.supervise(supervisor);
        // With `:memory:` all three are one thread.
        for worker in [&self.reader, &self.page_reader] {
            if !worker.is_same_thread(&self.writer) {
                worker.supervise(supervisor);
            }
        }
    }
}
