//! The chat over WebSocket: each connection is one `Chat`, each message type one method.
//!
//! A method that returns a message answers with it. An error is answered too: `?` is all that it takes. What more than
//! one method needs is in `rooms`.

use std::time::Duration;

use agentcore::prelude::*;

use crate::messages::{
    CreateRoom, GetMessageHistory, Invite, Invited, MessageHistory, RoomCreated, RoomInfo, RoomJoined, RoomLeft,
    RoomRef, RoomUsers, RoomsList, Said, Say, UserJoinedRoom, UserLeftRoom, UserTypingStart, UserTypingStop, Welcome,
    Whisper, WhisperSent, Whispered,
};
use crate::names::{ChatUser, username};
use crate::store::{Creation, Draft, Store};

/// So long the other nodes have to say whether a private message has arrived.
const CONFIRMED_WITHIN: Duration = Duration::from_millis(500);

#[consumer(
    path = "/ws/{user_id}",
    sends(
        Welcome,
        Said,
        RoomJoined,
        RoomCreated,
        RoomInfo,
        MessageHistory,
        UserJoinedRoom,
        UserLeftRoom,
        UserTypingStart,
        UserTypingStop,
        Invited,
        Whispered
    )
)]
pub(crate) struct Chat {
    #[path("user_id")]
    #[user]
    pub(crate) user: ChatUser,
    /// The name that others see; known from `hello` on.
    pub(crate) username: String,
    #[state]
    pub(crate) store: Store,
}

#[consumer]
impl Chat {
    #[on(connect)]
    async fn hello(&mut self, cx: &Context<Self>) -> Result<()> {
        self.username = username(&cx.identity()).unwrap_or_else(|| self.user.id().to_string());
        let (user_id, username) = (self.user.id().clone(), self.username.clone());
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
        let (user_id, username) = (self.user.id().to_string(), self.username.clone());
        // Stored first: what anybody has seen is still there after a restart.
        let message = self.store.append(Draft { room, user_id, username, text }).await?;
        let said = Said::from(message);
        cx.group(&said.room).send(&said).await
    }

    #[on("private_message")]
    async fn whisper(&mut self, cx: &Context<Self>, Whisper { target_user_id, text }: Whisper) -> Result<WhisperSent> {
        let (from_user_id, from_username) = (self.user.id().clone(), self.username.clone());
        let whispered =
            Whispered { from_user_id, from_username, to_user_id: target_user_id, text, timestamp: Timestamp::now() };
        let sent = cx.user(&whispered.to_user_id).send_confirmed(&whispered, CONFIRMED_WITHIN).await?;
        Ok(WhisperSent { delivered: sent.delivered, complete: sent.complete })
    }

    #[on("join_room")]
    async fn join_room(&mut self, cx: &Context<Self>, RoomRef { room }: RoomRef) -> Result<()> {
        let room = self.find_or_create(cx, &room).await?;
        self.join(cx, room).await
    }

    #[on("create_room")]
    async fn create_room(&mut self, cx: &Context<Self>, CreateRoom { room_name, is_public }: CreateRoom) -> Result<()> {
        match self.create(cx, &room_name, is_public).await? {
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

    #[on("invite")]
    async fn invite(&mut self, cx: &Context<Self>, Invite { room, user_id }: Invite) -> Result<Invited> {
        self.must_be_private(&room).await?;
        // Admitted first: who follows the invitation at once is let in.
        self.store.admit(&room, &user_id).await?;
        let invited = Invited { room, from_user_id: self.user.id().clone() };
        cx.user(user_id).send(&invited).await?;
        Ok(invited)
    }

    // Everybody who types sends these all the time, and no one is harmed when one is lost.

    #[on("typing_start", rate_limit = exempt)]
    async fn typing_start(&mut self, cx: &Context<Self>, RoomRef { room }: RoomRef) -> Result<()> {
        if !cx.is_in(&room) {
            return Ok(());
        }
        let (user_id, username) = (self.user.id().clone(), self.username.clone());
        let typing = UserTypingStart { room, user_id, username };
        cx.group(&typing.room).except_user(self.user.id()).send(&typing).await
    }

    #[on("typing_stop", rate_limit = exempt)]
    async fn typing_stop(&mut self, cx: &Context<Self>, RoomRef { room }: RoomRef) -> Result<()> {
        if !cx.is_in(&room) {
            return Ok(());
        }
        let (user_id, username) = (self.user.id().clone(), self.username.clone());
        let stopped = UserTypingStop { room, user_id, username };
        cx.group(&stopped.room).except_user(self.user.id()).send(&stopped).await
    }

    #[on("list_rooms", rate_limit = exempt)]
    async fn list_rooms(&mut self, cx: &Context<Self>) -> Result<RoomsList> {
        self.visible_rooms(cx.manager()).await
    }

    #[on("get_room_users", rate_limit = exempt)]
    async fn get_room_users(&mut self, cx: &Context<Self>, RoomRef { room }: RoomRef) -> Result<RoomUsers> {
        self.may_look_into(&room).await?;
        self.users_of(cx.manager(), room).await
    }

    #[on("get_message_history", rate_limit = exempt)]
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
