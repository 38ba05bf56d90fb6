//! What clients send.

use agentcore::prelude::*;

use crate::names::{room_name, user_name};

/// A line that somebody typed.
#[message("chat_message")]
pub(crate) struct Say {
    #[validate(length(min = 1, max = 50), custom(function = room_name))]
    pub(crate) room: String,
    #[validate(length(min = 1, max = 4000))]
    pub(crate) text: String,
}

/// Asks for a room of one's own. A room that is not public is entered by those it admits, and not listed.
#[message("create_room")]
pub(crate) struct CreateRoom {
    #[validate(length(min = 1, max = 50), custom(function = room_name))]
    pub(crate) room_name: String,
    pub(crate) is_public: bool,
}

/// Without a `limit`, so many messages are meant.
fn shown_by_default() -> u32 {
    50
}

/// Asks for messages of a room: the last ones, or the first after the one with the id `after`.
#[message("get_message_history")]
pub(crate) struct GetMessageHistory {
    #[validate(length(min = 1, max = 50), custom(function = room_name))]
    pub(crate) room: String,
    #[validate(range(min = 1, max = 100))]
    #[serde(default = "shown_by_default")]
    pub(crate) limit: u32,
    #[validate(length(equal = 36))]
    pub(crate) after: Option<String>,
}

/// Lets a user into a private room.
#[message("invite")]
pub(crate) struct Invite {
    #[validate(length(min = 1, max = 50), custom(function = room_name))]
    pub(crate) room: String,
    #[validate(length(min = 1, max = 64), custom(function = user_name))]
    pub(crate) user_id: String,
}

/// A line for one user, wherever that user is connected.
#[message("private_message")]
pub(crate) struct Whisper {
    #[validate(length(min = 1, max = 64), custom(function = user_name))]
    pub(crate) target_user_id: String,
    #[validate(length(min = 1, max = 4000))]
    pub(crate) text: String,
}

/// A room, and nothing else: several requests look like this, so it has no name of its own.
#[message]
pub(crate) struct RoomRef {
    #[validate(length(min = 1, max = 50), custom(function = room_name))]
    pub(crate) room: String,
}
