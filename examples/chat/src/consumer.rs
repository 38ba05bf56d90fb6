//! The chat over WebSocket: each connection is one `Chat`, each message type one method.
//!
//! A method that returns a message answers with it. An error is answered too: `?` is all that it takes.

use agentcore::prelude::*;

use crate::messages::{
    CreateRoom, GetMessageHistory, ListedRoom, MessageHistory, RoomCreated, RoomInfo, RoomJoined, RoomLeft, RoomRef,
    RoomUser, RoomUsers, RoomsList, Said, Say, UserJoinedRoom, UserLeftRoom, Welcome,
};
use crate::names::ChatUser;
use crate::store::{Creation, Draft, Store};

/// At most so many rooms are listed.
const LISTED_ROOMS: u32 = 1000;
/// At most so many users of a room are listed.
const LISTED_USERS: usize = 1000;

#[consumer(
    path = "/ws/{user_id}",
    sends(Welcome, Said, RoomJoined, RoomCreated, RoomInfo, MessageHistory, UserJoinedRoom, UserLeftRoom)
)]
pub(crate) struct Chat {
    #[path("user_id")]
    #[user]
    pub(crate) user: ChatUser,
    #[state]
    pub(crate) store: Store,
}

#[consumer]
impl Chat {
    #[on(connect)]
    async fn hello(&mut self, cx: &Context<Self>) -> Result<()> {
        let (user_id, username) = (self.user.id().clone(), self.user.name().to_owned());
        // Without a store there is no chat: who comes now is asked to come again.
        let remembered = self.store.remember_user(user_id.as_str(), &username).await;
        remembered.map_err(|error| Error::from(error).with_close(CloseCode::Again))?;
        let message = format!("Welcome to the chat, {username}!");
        cx.send(&Welcome { message, user_id, username, timestamp: Timestamp::now() }).await
    }

    #[on("chat_message")]
    async fn say(&mut self, cx: &Context<Self>, Say { room, text }: Say) -> Result<()> {
        if !cx.is_in(&room) {
            return Err(Error::authorization("join the room first"));
        }
        let (user_id, username) = (self.user.id().to_string(), self.user.name().to_owned());
        // Stored first: what anybody has seen is still there after a restart.
        let message = self.store.append(Draft { room, user_id, username, text }).await?;
        let said = Said::from(message);
        cx.group(&said.room).send(&said).await
    }

    #[on("join_room")]
    async fn join_room(&mut self, cx: &Context<Self>, RoomRef { room }: RoomRef) -> Result<()> {
        let room = self.find_or_create(&room).await?;
        self.join(cx, room).await
    }

    #[on("create_room")]
    async fn create_room(&mut self, cx: &Context<Self>, CreateRoom { room_name, is_public }: CreateRoom) -> Result<()> {
        match self.store.create_room(&room_name, self.user.id().as_str(), is_public).await? {
            Creation::Exists(room) => self.join(cx, room).await,
            Creation::Created(room) => {
                self.enter(cx, &room.name).await?;
                cx.reply(&RoomCreated { room: room.name, is_public: room.is_public }).await
            }
        }
    }

    #[on("leave_room")]
    async fn leave_room(&mut self, cx: &Context<Self>, RoomRef { room }: RoomRef) -> Result<RoomLeft> {
        // The others hear what was said at `join_present`.
        if cx.leave(&room).await? {
            Ok(RoomLeft { room })
        } else {
            Err(Error::authorization("you are not in this room"))
        }
    }

    #[on("list_rooms")]
    async fn list_rooms(&mut self, cx: &Context<Self>) -> Result<RoomsList> {
        let visible = self.store.visible_rooms(self.user.id().as_str(), LISTED_ROOMS).await?;
        let mut rooms = Vec::with_capacity(visible.len());
        for room in visible {
            let user_count = cx.manager().group_members(&room.name).await?.items.len();
            rooms.push(ListedRoom {
                user_count,
                name: room.name,
                created_by: room.created_by,
                is_public: room.is_public,
            });
        }
        Ok(RoomsList { rooms })
    }

    #[on("get_room_users")]
    async fn get_room_users(&mut self, cx: &Context<Self>, RoomRef { room }: RoomRef) -> Result<RoomUsers> {
        self.may_look_into(&room).await?;
        let members = cx.manager().group_members(&room).await?.items;
        let total = members.len();
        let users = members.into_iter().take(LISTED_USERS);
        let users = users.map(|user_id| RoomUser { username: user_id.to_string(), user_id }).collect();
        Ok(RoomUsers { room, users, total })
    }

    #[on("get_message_history")]
    async fn get_message_history(&mut self, asked: GetMessageHistory) -> Result<MessageHistory> {
        let GetMessageHistory { room, limit, after } = asked;
        self.may_look_into(&room).await?;
        let messages = match after {
            Some(id) => self.store.after(&room, &id, limit).await?,
            None => self.store.recent(&room, limit).await?,
        };
        Ok(MessageHistory { room, messages: messages.into_iter().map(Said::from).collect() })
    }
}
