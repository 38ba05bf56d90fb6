//! Lists of rooms and of users, from the store's data and the manager's.

use agentcore::prelude::*;

use crate::messages::{ListedRoom, RoomUser, RoomUsers, RoomsList};
use crate::store::Store;

/// Maximum number of rooms in a list.
const MAX_LISTED_ROOMS: u32 = 1000;
/// Maximum number of users in the list of a room.
const MAX_LISTED_USERS: usize = 1000;

/// Lists the public rooms and those that the user may enter, each with its number of users.
pub(crate) async fn list_rooms(store: &Store, manager: &ConnectionManager, user: &UserId) -> Result<RoomsList> {
    let visible = store.visible_rooms(user.as_str(), MAX_LISTED_ROOMS).await?;
    // One call for all rooms is one round trip to the backend.
    let counts = manager.present_counts(visible.iter().map(|room| &room.name)).await?;
    let rooms = visible.into_iter().zip(counts).map(|(room, user_count)| ListedRoom {
        name: room.name,
        user_count,
        created_by: room.created_by,
        is_public: room.is_public,
    });
    Ok(RoomsList { rooms: rooms.collect() })
}

/// Lists the users in a room on all nodes, each with the name of the latest connection.
pub(crate) async fn list_users(store: &Store, manager: &ConnectionManager, room: String) -> Result<RoomUsers> {
    let mut members = manager.group_members(&room).await?.items;
    let total = members.len();
    members.truncate(MAX_LISTED_USERS);
    let names = store.usernames(members.iter().map(ToString::to_string).collect()).await?;
    let users = members.into_iter().map(|user_id| {
        let username = names.get(user_id.as_str()).cloned().unwrap_or_else(|| user_id.to_string());
        RoomUser { user_id, username }
    });
    Ok(RoomUsers { room, users: users.collect(), total })
}
