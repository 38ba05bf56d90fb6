//! Lists of rooms and of users, from the store's data and the manager's.

use std::collections::BTreeSet;

use agentcore::GroupName;
use agentcore::prelude::*;

use crate::messages::{ListedRoom, RoomUser, RoomUsers, RoomsList};
use crate::store::Store;

/// Maximum number of rooms in a list.
const MAX_LISTED_ROOMS: usize = 1000;
/// Rooms that are considered for a list. Public rooms with members come before those without, and the store does not
/// know members, so more rooms are counted than are listed.
const MAX_COUNTED_ROOMS: usize = 5000;
/// Maximum number of users in the list of a room.
const MAX_LISTED_USERS: usize = 1000;

/// Lists the rooms that the connection is in and the private ones that admit the user, then the public ones with members,
/// then the rest, of which the user's own come first; each with its number of users. The rooms of each kind are sorted by name.
pub(crate) async fn list_rooms(
    store: &Store,
    manager: &ConnectionManager,
    user: &UserId,
    joined: Vec<GroupName>,
) -> Result<RoomsList> {
    let joined: BTreeSet<_> = joined.iter().map(ToString::to_string).collect();
    let visible = store.visible_rooms(user.as_str(), joined.iter().cloned().collect(), MAX_COUNTED_ROOMS).await?;
    // One call for all rooms is one round trip to the backend.
    let counts = manager.present_counts(visible.iter().map(|room| &room.name)).await?;
    let mut rooms: Vec<_> = visible.into_iter().zip(counts).collect();
    rooms.sort_by_cached_key(|(room, user_count)| {
        let class = if !room.is_public || joined.contains(&room.name) {
            // A private room that the user sees admits the user.
            0
        } else if *user_count > 0 {
            1
        } else if room.created_by == user.as_str() {
            2
        } else {
            3
        };
        (class, room.name.clone())
    });
    rooms.truncate(MAX_LISTED_ROOMS);
    let rooms = rooms.into_iter().map(|(room, user_count)| ListedRoom {
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
