//! Everything that travels between clients and the chat. The attribute on a struct makes its schema, its checks and its
//! encoding; the name in it is the message's `type`.

use agentcore::prelude::*;

use crate::names::room_name;
use crate::store;

// Client to server.

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

/// A room, and nothing else: several requests look like this, so it has no name of its own.
#[message]
pub(crate) struct RoomRef {
    #[validate(length(min = 1, max = 50), custom(function = room_name))]
    pub(crate) room: String,
}

// Server to client.

/// The greeting of a new connection.
#[message("welcome")]
pub(crate) struct Welcome {
    pub(crate) message: String,
    pub(crate) user_id: UserId,
    pub(crate) username: String,
    pub(crate) timestamp: Timestamp,
}

/// A line for everybody in the room, as it is stored. Clients sort by `id` and show each once.
#[message("chat_message")]
pub(crate) struct Said {
    pub(crate) id: String,
    pub(crate) room: String,
    pub(crate) user_id: String,
    pub(crate) username: String,
    pub(crate) text: String,
    pub(crate) timestamp: String,
}

impl From<store::Message> for Said {
    fn from(message: store::Message) -> Self {
        let store::Message { id, room, user_id, username, text, timestamp } = message;
        Self { id, room, user_id, username, text, timestamp }
    }
}

/// The client is in the room now.
#[message("room_joined")]
pub(crate) struct RoomJoined {
    pub(crate) room: String,
    pub(crate) is_public: bool,
}

/// The room is new, and the client is in it.
#[message("room_created")]
pub(crate) struct RoomCreated {
    pub(crate) room: String,
    pub(crate) is_public: bool,
}

/// The client is in the room no more.
#[message("room_left")]
pub(crate) struct RoomLeft {
    pub(crate) room: String,
}

/// What there is to know of a room that was joined.
#[message("room_info")]
pub(crate) struct RoomInfo {
    pub(crate) room: String,
    pub(crate) user_count: usize,
    pub(crate) created_by: String,
    pub(crate) is_public: bool,
}

/// Messages of a room, oldest first.
#[message("message_history")]
pub(crate) struct MessageHistory {
    pub(crate) room: String,
    pub(crate) messages: Vec<Said>,
}

/// For the others: somebody came.
#[message("user_joined_room")]
pub(crate) struct UserJoinedRoom {
    pub(crate) room: String,
    pub(crate) user_id: UserId,
    pub(crate) username: String,
    pub(crate) timestamp: Timestamp,
}

/// For the others: somebody went.
#[message("user_left_room")]
pub(crate) struct UserLeftRoom {
    pub(crate) room: String,
    pub(crate) user_id: UserId,
    pub(crate) username: String,
}

/// The public rooms and those that the user is admitted to.
#[message("rooms_list")]
pub(crate) struct RoomsList {
    pub(crate) rooms: Vec<ListedRoom>,
}

/// A room in a list.
#[message]
pub(crate) struct ListedRoom {
    pub(crate) name: String,
    pub(crate) user_count: usize,
    pub(crate) created_by: String,
    pub(crate) is_public: bool,
}

/// Who is in a room: `total` are there, the first of them are listed.
#[message("room_users")]
pub(crate) struct RoomUsers {
    pub(crate) room: String,
    pub(crate) users: Vec<RoomUser>,
    pub(crate) total: usize,
}

/// A user in a list.
#[message]
pub(crate) struct RoomUser {
    pub(crate) user_id: UserId,
    pub(crate) username: String,
}
