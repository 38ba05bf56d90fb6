//! Which rooms there are, and who is in them: methods of [`Chat`] that put together what the store knows and what the
//! manager knows.

use agentcore::prelude::*;

use crate::consumer::Chat;
use crate::messages::{ListedRoom, RoomUser, RoomUsers, RoomsList};

/// At most so many rooms are listed.
const LISTED_ROOMS: u32 = 1000;
/// At most so many users of a room are listed.
const LISTED_USERS: usize = 1000;

impl Chat {
    /// The public rooms and those that the user may enter, each with how many users are in it.
    pub(crate) async fn visible_rooms(&self, manager: &ConnectionManager) -> Result<RoomsList> {
        let visible = self.store.visible_rooms(self.user.id().as_str(), LISTED_ROOMS).await?;
        // One question for all rooms: with a backend over the network that is one way there and back.
        let counts = manager.present_counts(visible.iter().map(|room| &room.name)).await?;
        let rooms = visible.into_iter().zip(counts).map(|(room, user_count)| ListedRoom {
            name: room.name,
            user_count,
            created_by: room.created_by,
            is_public: room.is_public,
        });
        Ok(RoomsList { rooms: rooms.collect() })
    }

    /// The users in a room, over all nodes, with the names they came with.
    pub(crate) async fn users_of(&self, manager: &ConnectionManager, room: String) -> Result<RoomUsers> {
        let mut members = manager.group_members(&room).await?.items;
        let total = members.len();
        members.truncate(LISTED_USERS);
        let names = self.store.usernames(members.iter().map(ToString::to_string).collect()).await?;
        let users = members.into_iter().map(|user_id| {
            let username = names.get(user_id.as_str()).cloned().unwrap_or_else(|| user_id.to_string());
            RoomUser { user_id, username }
        });
        Ok(RoomUsers { room, users: users.collect(), total })
    }
}
