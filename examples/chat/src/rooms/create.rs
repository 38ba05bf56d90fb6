//! Finding and creating rooms.

use std::time::Duration;

use agentcore::manager::Listing;
use agentcore::prelude::*;

use crate::messages::RoomLeft;
use crate::store::{Creation, Room, Store};

/// Returns the room of this name, creating a public one if there is none.
pub(crate) async fn find_or_create(
    store: &Store,
    manager: &ConnectionManager,
    user: &UserId,
    name: &str,
) -> Result<Creation> {
    match store.room(name).await? {
        Some(room) => Ok(Creation::Exists(room)),
        None => create(store, manager, user, name, true).await,
    }
}

/// Creates a room without members, unless the name is taken.
pub(crate) async fn create(
    store: &Store,
    manager: &ConnectionManager,
    user: &UserId,
    name: &str,
    is_public: bool,
) -> Result<Creation> {
    match find_or_empty_group(store, manager, name).await? {
        Some(room) => Ok(Creation::Exists(room)),
        None => Ok(store.create_room(name, user.as_str(), is_public).await?),
    }
}

/// Returns the room of this name. If there is none, removes all members from the group of this name.
///
/// A store may lose its data while members of a room are still connected. They were admitted to the lost room, perhaps
/// a private one, and must not share a group with the members of the new one.
async fn find_or_empty_group(store: &Store, manager: &ConnectionManager, name: &str) -> Result<Option<Room>> {
    for _ in 0..2 {
        let Listing { items: members, complete } = manager.group_members(name).await?;
        // Looked up after the members were listed: if another client has just created the room, its members stay.
        if let Some(room) = store.room(name).await? {
            return Ok(Some(room));
        }
        if !complete {
            break;
        }
        if members.is_empty() {
            return Ok(None);
        }
        for user in members {
            if manager.leave_user(user.clone(), name).await? > 0 {
                manager.user(user).send(&RoomLeft { room: name.to_owned() }).await?;
            }
        }
    }
    let error = Error::backend("the members of this room are not known at the moment");
    Err(error.with_retry_after(Duration::from_secs(1)))
}
