//! Messages that the chat sends.

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

/// A message to a room, as it is stored. Clients sort messages by `id` and show each one once.
#[message("chat_message")]
pub(crate) struct ChatMessage {
    pub(crate) id: String,
    pub(crate) room: String,
    pub(crate) user_id: String,
    pub(crate) username: String,
    pub(crate) text: String,
    pub(crate) timestamp: String,
}

impl From<store::StoredMessage> for ChatMessage {
    fn from(message: store::StoredMessage) -> Self {
        let store::StoredMessage { id, room, user_id, username, text, timestamp } = message;
        Self { id, room, user_id, username, text, timestamp }
    }
}

/// Confirms that the client has joined the room.
#[message("room_joined")]
pub(crate) struct RoomJoined {
    pub(crate) room: String,
    pub(crate) is_public: bool,
}

/// Confirms that the room was created and that the client has joined it.
#[message("room_created")]
pub(crate) struct RoomCreated {
    pub(crate) room: String,
    pub(crate) is_public: bool,
}

/// Confirms that the client has left the room, or says that the room no longer exists.
#[message("room_left")]
pub(crate) struct RoomLeft {
    pub(crate) room: String,
}

/// Details of a room that the client has joined.
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
    pub(crate) messages: Vec<ChatMessage>,
}

/// Notifies the other members that a user has joined.
#[message("user_joined_room")]
pub(crate) struct UserJoinedRoom {
    pub(crate) room: String,
    pub(crate) user_id: UserId,
    pub(crate) username: String,
    pub(crate) timestamp: Timestamp,
}

/// Notifies the other members that a user has left.
#[message("user_left_room")]
pub(crate) struct UserLeftRoom {
    pub(crate) room: String,
    pub(crate) user_id: UserId,
    pub(crate) username: String,
}

/// Notifies the other members that a user is typing.
#[message("user_typing_start")]
pub(crate) struct UserTypingStart {
    pub(crate) room: String,
    pub(crate) user_id: UserId,
    pub(crate) username: String,
}

/// Notifies the other members that a user has stopped typing.
#[message("user_typing_stop")]
pub(crate) struct UserTypingStop {
    pub(crate) room: String,
    pub(crate) user_id: UserId,
    pub(crate) username: String,
}

/// A message from one user to another.
#[message("private_message")]
pub(crate) struct PrivateMessage {
    pub(crate) from_user_id: UserId,
    pub(crate) from_username: String,
    pub(crate) to_user_id: String,
    pub(crate) text: String,
    pub(crate) timestamp: Timestamp,
}

/// Reports to the sender of a private message how many connections received it, and whether every node has answered in
/// time.
#[message("private_message_sent")]
pub(crate) struct PrivateMessageSent {
    pub(crate) delivered: usize,
    pub(crate) complete: bool,
}

/// Notifies a user of an invitation to a private room, and confirms it to the member who sent it.
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

/// A room in the list of rooms.
#[message]
pub(crate) struct ListedRoom {
    pub(crate) name: String,
    pub(crate) user_count: usize,
    pub(crate) created_by: String,
    pub(crate) is_public: bool,
}

/// The users in a room. `total` counts all of them, even if the list is cut.
#[message("room_users")]
pub(crate) struct RoomUsers {
    pub(crate) room: String,
    pub(crate) users: Vec<RoomUser>,
    pub(crate) total: usize,
}

/// A user in the list of a room.
#[message]
pub(crate) struct RoomUser {
    pub(crate) user_id: UserId,
    pub(crate) username: String,
}
