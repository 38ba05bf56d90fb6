//! The chat over WebSocket: each connection is one [`Chat`], each message type one method.
//!
//! A method that returns a message replies with it, and an error that it returns is sent to the client. The rules about
//! rooms are in `rooms`.

use std::time::Duration;

use agentcore::prelude::*;

use crate::messages::{
    ChatMessage, CreateRoom, GetMessageHistory, Invite, Invited, MessageHistory, PrivateMessage, PrivateMessageSent,
    RoomCreated, RoomInfo, RoomJoined, RoomLeft, RoomRef, RoomUsers, RoomsList, SendChatMessage, SendPrivateMessage,
    UserJoinedRoom, UserLeftRoom, UserTypingStart, UserTypingStop, Welcome,
};
use crate::names::{ChatUser, username};
use crate::rooms;
use crate::store::{Creation, NewMessage, Room, Store};

/// How long the other nodes have to confirm the delivery of a private message.
const CONFIRMATION_TIMEOUT: Duration = Duration::from_millis(500);

/// Messages of the history that a client receives on joining.
const HISTORY_ON_JOIN: u32 = 50;

#[consumer(
    path = "/ws/{user_id}",
    sends(
        Welcome,
        ChatMessage,
        RoomJoined,
        RoomCreated,
        RoomInfo,
        MessageHistory,
        UserJoinedRoom,
        UserLeftRoom,
        UserTypingStart,
        UserTypingStop,
        Invited,
        PrivateMessage
    )
)]
pub(crate) struct Chat {
    #[path("user_id")]
    #[user]
    pub(crate) user: ChatUser,
    /// The name that others see; set by `connected`.
    pub(crate) username: String,
    #[state]
    pub(crate) store: Store,
}

#[consumer]
impl Chat {
    #[on(connect)]
    async fn connected(&mut self, cx: &Context<Self>) -> Result<()> {
        self.username = username(&cx.identity()).unwrap_or_else(|| self.user.id().to_string());
        let (user_id, username) = (self.user.id().clone(), self.username.clone());
        // The chat does not work without its store: the client is asked to reconnect later.
        let saved = self.store.save_user(user_id.as_str(), &username).await;
        saved.map_err(|error| Error::from(error).with_close(CloseCode::Again))?;
        let message = format!("Welcome to the chat, {username}!");
        cx.send(&Welcome { message, user_id, username, timestamp: Timestamp::now() }).await
    }

    #[on("chat_message")]
    async fn chat_message(&mut self, cx: &Context<Self>, request: SendChatMessage) -> Result<()> {
        let SendChatMessage { room, text } = request;
        if !cx.is_in(&room) {
            return Err(Error::authorization("join the room first"));
        }
        let (user_id, username) = (self.user.id().to_string(), self.username.clone());
        // Stored before it is sent: a message that anyone has seen survives a restart.
        let stored = self.store.append_message(NewMessage { room, user_id, username, text }).await?;
        let message = ChatMessage::from(stored);
        cx.group(&message.room).send(&message).await
    }

    #[on("private_message")]
    async fn private_message(&mut self, cx: &Context<Self>, request: SendPrivateMessage) -> Result<PrivateMessageSent> {
        let message = PrivateMessage {
            from_user_id: self.user.id().clone(),
            from_username: self.username.clone(),
            to_user_id: request.target_user_id,
            text: request.text,
            timestamp: Timestamp::now(),
        };
        let sent = cx.user(&message.to_user_id).send_confirmed(&message, CONFIRMATION_TIMEOUT).await?;
        Ok(PrivateMessageSent { delivered: sent.delivered, complete: sent.complete })
    }

    #[on("join_room")]
    async fn join_room(&mut self, cx: &Context<Self>, RoomRef { room }: RoomRef) -> Result<()> {
        match rooms::find_or_create(&self.store, cx.manager(), self.user.id(), &room).await? {
            Creation::Exists(room) => self.enter_existing(cx, room).await,
            Creation::Created(room) => {
                self.enter_created(cx, &room).await?;
                self.joined(cx, room).await
            }
        }
    }

    #[on("create_room")]
    async fn create_room(&mut self, cx: &Context<Self>, CreateRoom { room_name, is_public }: CreateRoom) -> Result<()> {
        match rooms::create(&self.store, cx.manager(), self.user.id(), &room_name, is_public).await? {
            Creation::Exists(room) => self.enter_existing(cx, room).await,
            Creation::Created(room) => {
                self.enter_created(cx, &room).await?;
                cx.reply(&RoomCreated { room: room.name, is_public: room.is_public }).await
            }
        }
    }

    #[on("leave_room")]
    async fn leave_room(&mut self, cx: &Context<Self>, RoomRef { room }: RoomRef) -> Result<RoomLeft> {
        // The others receive the `UserLeftRoom` that `enter` has registered.
        if cx.leave(&room).await? {
            Ok(RoomLeft { room })
        } else {
            Err(Error::authorization("you are not in this room"))
        }
    }

    #[on("invite")]
    async fn invite(&mut self, cx: &Context<Self>, Invite { room, user_id }: Invite) -> Result<Invited> {
        rooms::check_may_invite(&self.store, &room, self.user.id()).await?;
        // Admitted before the invitation is sent, so that the user can join as soon as it arrives.
        self.store.admit(&room, &user_id).await?;
        let invited = Invited { room, from_user_id: self.user.id().clone() };
        cx.user(user_id).send(&invited).await?;
        Ok(invited)
    }

    // Typing clients send these messages often, and a lost one does no harm.

    #[on("typing_start", rate_limit = exempt)]
    async fn typing_start(&mut self, cx: &Context<Self>, RoomRef { room }: RoomRef) -> Result<()> {
        if !cx.is_in(&room) {
            return Ok(());
        }
        let (user_id, username) = (self.user.id().clone(), self.username.clone());
        let started = UserTypingStart { room, user_id, username };
        cx.group(&started.room).except_user(self.user.id()).send(&started).await
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
        rooms::list_rooms(&self.store, cx.manager(), self.user.id(), cx.groups()).await
    }

    #[on("get_room_users", rate_limit = exempt)]
    async fn get_room_users(&mut self, cx: &Context<Self>, RoomRef { room }: RoomRef) -> Result<RoomUsers> {
        rooms::check_may_read(&self.store, &room, self.user.id()).await?;
        rooms::list_users(&self.store, cx.manager(), room).await
    }

    #[on("get_message_history", rate_limit = exempt)]
    async fn get_message_history(&mut self, request: GetMessageHistory) -> Result<MessageHistory> {
        let GetMessageHistory { room, limit, after } = request;
        rooms::check_may_read(&self.store, &room, self.user.id()).await?;
        let messages = match after {
            Some(id) => self.store.messages_after(&room, &id, limit).await?,
            None => self.store.recent_messages(&room, limit).await?,
        };
        Ok(MessageHistory { room, messages: messages.into_iter().map(ChatMessage::from).collect() })
    }
}

impl Chat {
    /// Enters a room that existed before, if the user may enter it.
    async fn enter_existing(&self, cx: &Context<Self>, room: Room) -> Result<()> {
        rooms::check_may_enter(&self.store, &room, self.user.id()).await?;
        self.enter(cx, &room.name).await?;
        self.joined(cx, room).await
    }

    /// Replies to a client that has entered a room; then sends the room's details and its recent messages.
    async fn joined(&self, cx: &Context<Self>, room: Room) -> Result<()> {
        // Read after entering: a message of this moment may arrive twice, but none is missing.
        let messages = self.store.recent_messages(&room.name, HISTORY_ON_JOIN).await?;
        if messages.is_empty() {
            rooms::restore_if_removed(&self.store, &room).await?;
        }
        cx.reply(&RoomJoined { room: room.name.clone(), is_public: room.is_public }).await?;
        let user_count = cx.manager().present_count(&room.name).await?;
        let Room { name, created_by, is_public, .. } = room;
        cx.send(&RoomInfo { room: name.clone(), user_count, created_by, is_public }).await?;
        let messages = messages.into_iter().map(ChatMessage::from).collect();
        cx.send(&MessageHistory { room: name, messages }).await
    }

    /// Enters a room that this request has created. A request that is refused creates nothing: the room is removed again.
    async fn enter_created(&self, cx: &Context<Self>, room: &Room) -> Result<()> {
        let entered = self.enter(cx, &room.name).await;
        if entered.is_err()
            && let Err(error) = rooms::remove_if_empty(&self.store, cx.manager(), room).await
        {
            tracing::warn!("a room that its creator could not enter was not removed: {error}");
        }
        entered
    }

    /// Adds the connection to the room's group. The others are notified of the user's first connection in the room and
    /// of the end of the last one.
    async fn enter(&self, cx: &Context<Self>, room: &str) -> Result<()> {
        let (room, user_id, username) = (room.to_owned(), self.user.id().clone(), self.username.clone());
        let left = UserLeftRoom { room: room.clone(), user_id: user_id.clone(), username: username.clone() };
        let joined = UserJoinedRoom { room, user_id, username, timestamp: Timestamp::now() };
        cx.join_present(&joined.room, &joined, &left).await?;
        Ok(())
    }
}
