//! The store in Redis, for all the nodes of any number of machines: rooms, whom they admit, the names of users, and the
//! last 1,000 messages of each room.
//!
//! How long it keeps them is up to Redis: without persistence they end with it.
//!
//! A call takes a second at most (`link`). One that has failed has stored nothing, also when Redis wakes up later and
//! still finds the call: scripts begin with a look at the clock (`lua/in_time.lua`). An answer that gets lost on its way
//! is the exception; nobody can know of it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use agentcore::settings::RedisUrl;
use redis::io::tcp::TcpSettings;
use redis::{Client, ConnectionInfo, IntoConnectionInfo};

use self::connection::Link;
use self::error::in_room;
use self::keys::Keys;
use super::{Cause, ChatStore, Creation, Draft, Message, Room, StoreError, StoreFuture};

mod connection;
mod error;
mod keys;
mod messages;
mod rooms;
mod scripts;
#[cfg(test)]
mod tests;

/// The form of the keys and their values; a Redis that has another form is refused.
const VERSION: &str = "1";

/// Which Redis, and what its keys begin with.
#[derive(Clone)]
pub(crate) struct Address {
    redis: ConnectionInfo,
    prefix: String,
}

impl Address {
    /// # Errors
    /// What the URL must be, without the URL: it may have a password.
    pub(crate) fn new(url: &RedisUrl, prefix: &str) -> Result<Self, String> {
        let without_tls = "redis://; for rediss:// build with the feature `tokio-rustls-comp` of the crate redis";
        let redis = url.secret().into_connection_info().map_err(|_| without_tls.to_owned())?;
        // Each call is a short write that somebody waits for.
        let redis = redis.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        Ok(Self { redis, prefix: prefix.to_owned() })
    }
}

/// Without user and password, for people.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "redis://{}/{}", self.redis.addr(), self.redis.redis_settings().db())
    }
}

/// A [`ChatStore`] in Redis.
#[derive(Clone, Debug)]
pub(crate) struct Redis {
    link: Arc<Link>,
    keys: Keys,
}

impl Redis {
    /// Connects, and sees to it that what is there is in a form this chat knows.
    ///
    /// # Errors
    ///
    /// [`StoreError::Open`], naming the server: it does not answer, or it was used by a later version of the chat.
    pub(crate) async fn open(address: &Address) -> Result<Self, StoreError> {
        // The text alone: what is below one of Redis' errors it says itself.
        let unopened = |why: String| {
            let source = Cause::from(Box::<dyn std::error::Error + Send + Sync>::from(why));
            StoreError::Open { place: address.to_string(), source }
        };
        let client = Client::open(address.redis.clone()).map_err(|error| unopened(error.to_string()))?;
        let store = Self { link: Arc::new(Link::new(client)), keys: Keys::new(&address.prefix) };
        let key = store.keys.version();
        let found = store.link.call(async |mut call| {
            let mut ask = redis::pipe();
            ask.cmd("SET").arg(&key).arg(VERSION).arg("NX").ignore().cmd("GET").arg(&key);
            let [version]: [String; 1] = ask.query_async(&mut call.redis).await?;
            Ok(version)
        });
        match found.await {
            Ok(version) if version == VERSION => Ok(store),
            Ok(version) => {
                Err(unopened(format!("its keys are of version {version}, this chat knows version {VERSION}")))
            }
            Err(StoreError::Unavailable(cause) | StoreError::Failed(cause)) => Err(unopened(cause.to_string())),
            Err(error) => Err(error),
        }
    }
}

impl ChatStore for Redis {
    fn append(&self, draft: Draft) -> StoreFuture<'_, Message> {
        Box::pin(async move {
            let appended = self.link.call(|call| messages::append(call, &self.keys, &draft)).await;
            appended.map_err(|error| in_room(error, &draft.room))
        })
    }

    fn recent(&self, room: &str, limit: u32) -> StoreFuture<'_, Vec<Message>> {
        let room = room.to_owned();
        Box::pin(async move { self.link.call(|call| messages::recent(call, &self.keys, &room, limit)).await })
    }

    fn after(&self, room: &str, id: &str, limit: u32) -> StoreFuture<'_, Vec<Message>> {
        let (room, id) = (room.to_owned(), id.to_owned());
        Box::pin(async move { self.link.call(|call| messages::after(call, &self.keys, &room, &id, limit)).await })
    }

    fn create_room(&self, name: &str, created_by: &str, is_public: bool) -> StoreFuture<'_, Creation> {
        let (name, created_by) = (name.to_owned(), created_by.to_owned());
        Box::pin(
            async move { self.link.call(|call| rooms::create(call, &self.keys, &name, &created_by, is_public)).await },
        )
    }

    fn room(&self, name: &str) -> StoreFuture<'_, Option<Room>> {
        let name = name.to_owned();
        Box::pin(async move { self.link.call(|call| rooms::find(call, &self.keys, &name)).await })
    }

    fn visible_rooms(&self, user_id: &str, limit: u32) -> StoreFuture<'_, Vec<Room>> {
        let user_id = user_id.to_owned();
        Box::pin(async move { self.link.call(|call| rooms::visible_to(call, &self.keys, &user_id, limit)).await })
    }

    fn admit(&self, room: &str, user_id: &str) -> StoreFuture<'_, ()> {
        let (room, user_id) = (room.to_owned(), user_id.to_owned());
        Box::pin(async move {
            let admitted = self.link.call(|call| rooms::admit(call, &self.keys, &room, &user_id)).await;
            admitted.map_err(|error| in_room(error, &room))
        })
    }

    fn may_enter(&self, room: &str, user_id: &str) -> StoreFuture<'_, bool> {
        let (room, user_id) = (room.to_owned(), user_id.to_owned());
        Box::pin(async move { self.link.call(|call| rooms::may_enter(call, &self.keys, &room, &user_id)).await })
    }

    fn remember_user(&self, user_id: &str, username: &str) -> StoreFuture<'_, ()> {
        let (user_id, username) = (user_id.to_owned(), username.to_owned());
        Box::pin(
            async move { self.link.call(|call| rooms::remember_user(call, &self.keys, &user_id, &username)).await },
        )
    }

    fn usernames(&self, user_ids: Vec<String>) -> StoreFuture<'_, HashMap<String, String>> {
        Box::pin(async move { self.link.call(|call| rooms::usernames(call, &self.keys, user_ids)).await })
    }
}
