//! Who may enter a room, and what happens when somebody does: methods of [`Chat`] that its handlers share.

mod lists;

use std::time::Duration;

use agentcore::manager::Listing;
use agentcore::prelude::*;

use crate::consumer::Chat;
use crate::errors::no_such_room;
use crate::messages::{MessageHistory, RoomInfo, RoomJoined, RoomLeft, Said, UserJoinedRoom, UserLeftRoom};
use crate::store::{Creation, Room};

/// Who joins is shown so many messages.
const SHOWN_ON_JOINING: u32 = 50;

impl Chat {
    /// The room of this name; one that is not there yet is created for everybody.
    pub(crate) async fn find_or_create(&self, cx: &Context<Self>, name: &str) -> Result<Room> {
        if let Some(room) = self.store.room(name).await? {
            return Ok(room);
        }
        match self.create(cx, name, true).await? {
            Creation::Created(room) | Creation::Exists(room) => Ok(room),
        }
    }

    /// Creates a room, which begins with nobody in it.
    pub(crate) async fn create(&self, cx: &Context<Self>, name: &str, is_public: bool) -> Result<Creation> {
        match self.known_or_empty(cx.manager(), name).await? {
            Some(room) => Ok(Creation::Exists(room)),
            None => Ok(self.store.create_room(name, self.user.id().as_str(), is_public).await?),
        }
    }

    /// The room of this name; if there is none, nobody is in its group any more.
    ///
    /// A store may lose what it held while those who were in a room are connected still. They were admitted to a room that
    /// is no more, perhaps a private one, and would hear those who come into the new one, and be heard by them.
    async fn known_or_empty(&self, manager: &ConnectionManager, name: &str) -> Result<Option<Room>> {
        for _ in 0..2 {
            let Listing { items: members, complete } = manager.group_members(name).await?;
            // Asked for after they were listed: whoever joins a room that another has just created is not taken for one of
            // the old.
            if let Some(room) = self.store.room(name).await? {
                return Ok(Some(room));
            }
            if !complete {
                break;
            }
            if members.is_empty() {
                return Ok(None);
            }
            for user in members {
                if manager.leave_user(user.clone(), name).await? > 0 {
                    manager.user(user).send(&RoomLeft { room: name.to_owned() }).await?;
                }
            }
        }
        let error = Error::backend("it is not known at the moment who is in this room");
        Err(error.with_retry_after(Duration::from_secs(1)))
    }

    /// Joins a room, and answers: first that it is joined, then what there is to see.
    pub(crate) async fn join(&self, cx: &Context<Self>, room: Room) -> Result<()> {
        self.must_be_admitted(&room).await?;
        self.enter(cx, &room.name).await?;
        cx.reply(&RoomJoined { room: room.name.clone(), is_public: room.is_public }).await?;
        let user_count = cx.manager().present_count(&room.name).await?;
        let Room { name, created_by, is_public, .. } = room;
        cx.send(&RoomInfo { room: name.clone(), user_count, created_by, is_public }).await?;
        // Read after joining: a message of this moment may come twice, but none is missed.
        let messages = self.store.recent(&name, SHOWN_ON_JOINING).await?.into_iter().map(Said::from).collect();
        cx.send(&MessageHistory { room: name, messages }).await
    }

    /// Puts the connection into the room's group. The others are told when this is the user's first connection there,
    /// and again when the last one has gone.
    pub(crate) async fn enter(&self, cx: &Context<Self>, room: &str) -> Result<()> {
        let (room, user_id, username) = (room.to_owned(), self.user.id().clone(), self.username.clone());
        let left = UserLeftRoom { room: room.clone(), user_id: user_id.clone(), username: username.clone() };
        let joined = UserJoinedRoom { room, user_id, username, timestamp: Timestamp::now() };
        cx.join_present(&joined.room, &joined, &left).await?;
        Ok(())
    }

    /// Public rooms may be looked into from outside, private ones only by those they admitted.
    pub(crate) async fn may_look_into(&self, room: &str) -> Result<()> {
        let found = self.store.room(room).await?;
        self.must_be_admitted(&found.ok_or_else(|| no_such_room(room))?).await
    }

    /// Only a private room admits, and only who may enter it can open it to others.
    pub(crate) async fn must_be_private(&self, room: &str) -> Result<()> {
        let room = self.store.room(room).await?.ok_or_else(|| no_such_room(room))?;
        if room.is_public {
            return Err(Error::validation(format!(
                "`{}` is public: everybody can join without being invited",
                room.name
            )));
        }
        self.must_be_admitted(&room).await
    }

    async fn must_be_admitted(&self, room: &Room) -> Result<()> {
        if room.is_public || self.store.may_enter(&room.name, self.user.id().as_str()).await? {
            return Ok(());
        }
        Err(Error::authorization("this room is private: somebody in it has to invite you"))
    }
}
