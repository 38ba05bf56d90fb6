//! Rules on who may enter, read and invite to a room.

use agentcore::prelude::*;

use crate::errors::no_such_room;
use crate::store::{Room, Store};

/// Checks that the user may enter a room: everyone may enter a public one, admitted users a private one.
pub(crate) async fn check_may_enter(store: &Store, room: &Room, user: &UserId) -> Result<()> {
    if room.is_public || store.may_enter(&room.name, user.as_str()).await? {
        return Ok(());
    }
    Err(Error::authorization("this room is private: one of its members has to invite you"))
}

/// Checks that the user may see the users and messages of a room, which does not need joining it.
pub(crate) async fn check_may_read(store: &Store, room: &str, user: &UserId) -> Result<()> {
    check_may_enter(store, &find(store, room).await?, user).await
}

/// Checks that the room is private and that the user may enter it.
pub(crate) async fn check_may_invite(store: &Store, room: &str, user: &UserId) -> Result<()> {
    let room = find(store, room).await?;
    if room.is_public {
        return Err(Error::validation(format!("`{}` is public: everyone can join without an invitation", room.name)));
    }
    check_may_enter(store, &room, user).await
}

async fn find(store: &Store, room: &str) -> Result<Room> {
    store.room(room).await?.ok_or_else(|| no_such_room(room))
}
