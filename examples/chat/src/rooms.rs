//! Who may enter a room, and what happens when somebody does: methods of [`Chat`] that its handlers share.

use agentcore::prelude::*;

use crate::consumer::Chat;
use crate::errors::no_such_room;
use crate::messages::{MessageHistory, RoomInfo, RoomJoined, Said, UserJoinedRoom, UserLeftRoom};
use crate::store::{Creation, Room};

/// Who joins is shown so many messages.
const SHOWN_ON_JOINING: u32 = 50;

impl Chat {
    /// The room of this name; one that is not there yet is created for everybody.
    pub(crate) async fn find_or_create(&self, name: &str) -> Result<Room> {
        if let Some(room) = self.store.room(name).await? {
            return Ok(room);
        }
        match self.store.create_room(name, self.user.id().as_str(), true).await? {
            Creation::Created(room) | Creation::Exists(room) => Ok(room),
        }
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
