//! What the chat sends.

use agentcore::prelude::*;

use crate::store;

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

/// For the others: somebody is writing.
#[message("user_typing_start")]
pub(crate) struct UserTypingStart {
    pub(crate) room: String,
    pub(crate) user_id: UserId,
    pub(crate) username: String,
}

/// For the others: somebody has stopped writing.
#[message("user_typing_stop")]
pub(crate) struct UserTypingStop {
    pub(crate) room: String,
    pub(crate) user_id: UserId,
    pub(crate) username: String,
}

/// A line for its receiver's eyes only.
#[message("private_message")]
pub(crate) struct Whispered {
    pub(crate) from_user_id: UserId,
    pub(crate) from_username: String,
    pub(crate) to_user_id: String,
    pub(crate) text: String,
    pub(crate) timestamp: Timestamp,
}

/// For the sender of a private message: how many connections took it, and whether every node told so in time.
#[message("private_message_sent")]
pub(crate) struct WhisperSent {
    pub(crate) delivered: usize,
    pub(crate) complete: bool,
}

/// The private room is open to whom this is sent to, and to whom it answers.
#[message("invited")]
pub(crate) struct Invited {
    pub(crate) room: String,
    pub(crate) from_user_id: UserId,
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
