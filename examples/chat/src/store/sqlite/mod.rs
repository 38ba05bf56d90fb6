//! The store in one SQLite file, for one process or for all the nodes of a machine.
//!
//! SQLite blocks: every access happens on a thread of its own, never on one that runs futures. One thread writes and
//! puts all the writes that wait into one transaction (`worker`); another reads, so that a long history delays no message.
//! A message that is stored survives the end of the process at any moment; one of the last moments before a power cut
//! may be missing, because waiting for the disk would cost each message some milliseconds.

use std::{collections::HashMap, path::Path};

use rusqlite::Connection;

use self::worker::Worker;
use super::{ChatStore, Creation, Draft, Message, Room, StoreError, StoreFuture};

mod error;
mod messages;
mod rooms;
mod schema;
#[cfg(test)]
mod tests;
mod worker;

/// A [`ChatStore`] in a SQLite file; dropping the last handle ends its threads.
#[derive(Clone, Debug)]
pub(crate) struct Sqlite {
    writer: Worker,
    reader: Worker,
}

impl Sqlite {
    /// Opens the file, creating it if it is not there; `:memory:` is a store that ends with the process.
    ///
    /// # Errors
    ///
    /// [`StoreError::Open`], naming the path: the directory is missing, the file is no chat database or a damaged one,
    /// or it was written by a later version of the chat.
    pub(crate) async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let writer = Worker::start("chat-store-write", path, schema::open).await?;
        // A second connection to `:memory:` would be a second, empty database.
        let reader = if path == Path::new(":memory:") {
            writer.clone()
        } else {
            Worker::start("chat-store-read", path, schema::open_for_reading).await?
        };
        Ok(Self { writer, reader })
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

impl ChatStore for Sqlite {
    fn append(&self, draft: Draft) -> StoreFuture<'_, Message> {
        self.write(move |db| messages::append(db, &draft))
    }

    fn recent(&self, room: &str, limit: u32) -> StoreFuture<'_, Vec<Message>> {
        let room = room.to_owned();
        self.read(move |db| messages::recent(db, &room, limit))
    }

    fn after(&self, room: &str, id: &str, limit: u32) -> StoreFuture<'_, Vec<Message>> {
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

    fn visible_rooms(&self, user_id: &str, limit: u32) -> StoreFuture<'_, Vec<Room>> {
        let user_id = user_id.to_owned();
        self.read(move |db| rooms::visible_to(db, &user_id, limit))
    }

    fn admit(&self, room: &str, user_id: &str) -> StoreFuture<'_, ()> {
        let (room, user_id) = (room.to_owned(), user_id.to_owned());
        self.write(move |db| rooms::admit(db, &room, &user_id))
    }

    fn may_enter(&self, room: &str, user_id: &str) -> StoreFuture<'_, bool> {
        let (room, user_id) = (room.to_owned(), user_id.to_owned());
        self.read(move |db| rooms::may_enter(db, &room, &user_id))
    }

    fn remember_user(&self, user_id: &str, username: &str) -> StoreFuture<'_, ()> {
        let (user_id, username) = (user_id.to_owned(), username.to_owned());
        self.write(move |db| rooms::remember_user(db, &user_id, &username))
    }

    fn usernames(&self, user_ids: Vec<String>) -> StoreFuture<'_, HashMap<String, String>> {
        self.read(move |db| rooms::usernames(db, &user_ids))
    }
}
