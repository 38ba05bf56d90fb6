//! The trial of every command that the store needs, so that a missing right shows when the program starts.

use redis::Value;

use super::RedisStore;
use crate::store::{Cause, ChatStore, NewMessage, StoreError};

/// The user and the room of the trial.
const USER: &str = "user";
const ROOM: &str = "room";

impl RedisStore {
    /// Checks that the server holds all keys itself.
    ///
    /// # Errors
    /// The server is part of a Redis Cluster, or a Sentinel.
    pub(super) async fn check_mode(&self) -> Result<(), StoreError> {
        let hello = self.connection.call(async |mut call| redis::cmd("HELLO").query_async(&mut call.redis).await);
        if mode(hello.await?).is_some_and(|mode| mode != "standalone") {
            let reason =
                Box::<dyn std::error::Error + Send + Sync>::from("Redis Cluster and Sentinel are not supported");
            return Err(StoreError::Failed(Cause::from(reason)));
        }
        Ok(())
    }

    /// Calls everything once with keys of its own, which it removes.
    ///
    /// # Errors
    /// The server does not permit a command.
    pub(super) async fn try_all(&self) -> Result<(), StoreError> {
        let trial = Self { connection: self.connection.clone(), keys: self.keys.for_trial() };
        let done = trial.call_all().await;
        // Also after a failure, as far as it is permitted.
        let removed = trial.remove().await;
        done.and(removed)
    }

    async fn call_all(&self) -> Result<(), StoreError> {
        self.create_room(ROOM, USER, true).await?;
        self.create_room("private", USER, false).await?;
        self.admit(ROOM, USER).await?;
        self.may_enter(ROOM, USER).await?;
        self.visible_rooms(USER, vec![ROOM.to_owned()], 2).await?;
        let [user_id, username, text] = [USER, USER, "text"].map(str::to_owned);
        let stored = self.append_message(NewMessage { room: ROOM.to_owned(), user_id, username, text }).await?;
        self.recent_messages(ROOM, 1).await?;
        self.recent_page(ROOM, 1, 1024).await?;
        self.messages_after(ROOM, &stored.id, 1).await?;
        self.save_user(USER, USER).await?;
        self.usernames(vec![USER.to_owned()]).await?;
        self.rooms_without_messages("").await?;
        if let Some(room) = self.room(ROOM).await? {
            self.remove_without_messages(&room).await?;
        }
        Ok(())
    }

    async fn remove(&self) -> Result<(), StoreError> {
        let keys = &self.keys;
        let rooms =
            [ROOM, "private"].into_iter().flat_map(|room| [keys.room(room), keys.messages(room), keys.admitted(room)]);
        let keys: Vec<_> = rooms.chain([keys.public_rooms(), keys.rooms_of(USER), keys.usernames()]).collect();
        let removed =
            self.connection.call(async |mut call| redis::cmd("DEL").arg(&keys).query_async(&mut call.redis).await);
        removed.await
    }
}

/// Returns the mode in the reply to `HELLO`.
fn mode(hello: Value) -> Option<String> {
    let Value::Map(fields) = hello else { return None };
    let text = |value: Value| redis::from_redis_value::<String>(value).ok();
    fields.into_iter().find_map(|(name, value)| if text(name)? == "mode" { text(value) } else { None })
}
