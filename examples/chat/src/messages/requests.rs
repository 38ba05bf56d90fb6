//! Messages that clients send.

use agentcore::prelude::*;

use crate::names::{room_name, user_name};

/// Sends a message to a room.
#[message("chat_message")]
pub(crate) struct SendChatMessage {
    #[validate(length(min = 1, max = 50), custom(function = room_name))]
    pub(crate) room: String,
    #[validate(length(min = 1, max = 4000))]
    pub(crate) text: String,
}

/// Creates a room. A private room is not listed, and only admitted users can enter it.
#[message("create_room")]
pub(crate) struct CreateRoom {
    #[validate(length(min = 1, max = 50), custom(function = room_name))]
    pub(crate) room_name: String,
    pub(crate) is_public: bool,
}

/// Requests messages of a room: the latest ones, or the first ones after the message with the id `after`.
#[message("get_message_history")]
pub(crate) struct GetMessageHistory {
    #[validate(length(min = 1, max = 50), custom(function = room_name))]
    pub(crate) room: String,
    #[validate(range(min = 1, max = 100))]
    #[serde(default = "default_limit")]
    pub(crate) limit: u32,
    #[validate(length(equal = 36))]
    pub(crate) after: Option<String>,
}

/// Admits a user to a private room.
#[message("invite")]
pub(crate) struct Invite {
    #[validate(length(min = 1, max = 50), custom(function = room_name))]
    pub(crate) room: String,
    #[validate(length(min = 1, max = 64), custom(function = user_name))]
    pub(crate) user_id: String,
}

/// Sends a message to all connections of a user.
#[message("private_message")]
pub(crate) struct SendPrivateMessage {
    #[validate(length(min = 1, max = 64), custom(function = user_name))]
    pub(crate) target_user_id: String,
    #[validate(length(min = 1, max = 4000))]
    pub(crate) text: String,
}

/// The payload of several requests: the name of a room.
#[message]
pub(crate) struct RoomRef {
    #[validate(length(min = 1, max = 50), custom(function = room_name))]
    pub(crate) room: String,
}

fn default_limit() -> u32 {
    50
}
