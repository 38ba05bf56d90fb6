//! Commands on rooms and admissions.
//!
//! A list of rooms and a room are changed in separate steps. So a name is added to its list first, and readers of a list look up each room: a room whose creation failed is on a list and does not
//! exist.

use std::collections::BTreeSet;

use agentcore::Timestamp;
use redis::RedisResult;

use super::connection::Call;
use super::keys::Keys;
use super::scripts::{ADMIT, CREATE_ROOM, REMOVE_ROOM};
use crate::store::{Creation, Room};

/// Names that are read at once from the list of public rooms.
const LIST_PAGE: usize = 1000;

/// `created_by`, `is_public` and `created_at` of a room; all are missing if the room does not exist.
type Fields = [Option<String>; 3];

pub(super) async fn create(
    mut call: Call,
    keys: &Keys,
    name: &str,
    created_by: &str,
    is_public: bool,
) -> RedisResult<Creation> {
    add_to_list(&mut call, &keys.rooms_of(created_by), name).await?;
    if is_public {
        add_to_list(&mut call, &keys.public_rooms(), name).await?;
    }
    let created_at = Timestamp::now().to_string();
    let room = Room { name: name.to_owned(), created_by: created_by.to_owned(), is_public, created_at };
    let mut script = CREATE_ROOM.key(keys.room(name));
    script.key(keys.admitted(name)).arg(call.deadline).arg(created_by).arg(u8::from(is_public)).arg(&room.created_at);
    let found: Option<Fields> = script.invoke_async(&mut call.redis).await?;
    Ok(match found.and_then(|fields| room_of(name, fields)) {
        Some(found) => Creation::Exists(found),
        None => Creation::Created(room),
    })
}

pub(super) async fn find(mut call: Call, keys: &Keys, name: &str) -> RedisResult<Option<Room>> {
    let fields = redis::pipe().add_command(fields_of(keys, name)).query_async(&mut call.redis).await?;
    let [fields]: [Fields; 1] = fields;
    Ok(room_of(name, fields))
}

pub(super) async fn visible_to(
    mut call: Call,
    keys: &Keys,
    user_id: &str,
    joined: Vec<String>,
    limit: usize,
) -> RedisResult<Vec<Room>> {
    let joined: BTreeSet<_> = joined.into_iter().collect();
    let mut known = joined.clone();
    let mut rooms = only_visible(&mut call, keys, user_id, joined.into_iter().collect()).await?;
    for list in [keys.rooms_of(user_id), keys.public_rooms()] {
        let mut from = "-".to_owned();
        while rooms.len() < limit {
            let page = page_of(&mut call, &list, &from, limit).await?;
            let Some(last) = page.last() else { break };
            from = format!("({last}");
            let names = page.into_iter().filter(|name| known.insert(name.clone())).collect();
            rooms.extend(only_visible(&mut call, keys, user_id, names).await?);
        }
    }
    rooms.truncate(limit);
    Ok(rooms)
}

/// Returns the names of a page of the list of public rooms.
pub(super) async fn page_of_public(mut call: Call, keys: &Keys, from: &str) -> RedisResult<Vec<String>> {
    page_of(&mut call, &keys.public_rooms(), from, LIST_PAGE).await
}

/// Returns the rooms of these names that exist and have no messages.
pub(super) async fn without_messages(mut call: Call, keys: &Keys, names: Vec<String>) -> RedisResult<Vec<Room>> {
    let (mut fields, mut messages) = (redis::pipe(), redis::pipe());
    for name in &names {
        fields.add_command(fields_of(keys, name));
        messages.cmd("EXISTS").arg(keys.messages(name));
    }
    let fields: Vec<Fields> = fields.query_async(&mut call.redis).await?;
    let messages: Vec<bool> = messages.query_async(&mut call.redis).await?;
    let rooms = names.into_iter().zip(fields).map(|(name, fields)| room_of(&name, fields));
    Ok(rooms.zip(messages).filter_map(|(room, has_messages)| room.filter(|_| !has_messages)).collect())
}

pub(super) async fn remove_without_messages(mut call: Call, keys: &Keys, room: &Room) -> RedisResult<bool> {
    let Room { name, created_by, created_at, .. } = room;
    // Taken from the lists first: another client may create the room again as soon as it is removed, and must find its
    // name on the lists then.
    let lists = [keys.public_rooms(), keys.rooms_of(created_by)];
    for list in &lists {
        let _: () = redis::cmd("ZREM").arg(list).arg(name).query_async(&mut call.redis).await?;
    }
    let mut script = REMOVE_ROOM.key(keys.room(name));
    script.key(keys.admitted(name)).key(keys.messages(name)).arg(call.deadline).arg(created_at);
    let is_removed: bool = script.invoke_async(&mut call.redis).await?;
    if !is_removed {
        for list in lists.iter().skip(usize::from(!room.is_public)) {
            add_to_list(&mut call, list, name).await?;
        }
    }
    Ok(is_removed)
}

async fn page_of(call: &mut Call, list: &str, from: &str, limit: usize) -> RedisResult<Vec<String>> {
    redis::cmd("ZRANGEBYLEX")
        .arg(list)
        .arg(from)
        .arg("+")
        .arg("LIMIT")
        .arg(0)
        .arg(limit)
        .query_async(&mut call.redis)
        .await
}

/// Returns the rooms of these names that exist and are public or admit the user.
async fn only_visible(call: &mut Call, keys: &Keys, user_id: &str, names: Vec<String>) -> RedisResult<Vec<Room>> {
    let (mut fields, mut admissions) = (redis::pipe(), redis::pipe());
    for name in &names {
        fields.add_command(fields_of(keys, name));
        admissions.cmd("SISMEMBER").arg(keys.admitted(name)).arg(user_id);
    }
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let fields: Vec<Fields> = fields.query_async(&mut call.redis).await?;
    let admissions: Vec<bool> = admissions.query_async(&mut call.redis).await?;
    let rooms = names.into_iter().zip(fields).map(|(name, fields)| room_of(&name, fields));
    Ok(rooms.zip(admissions).filter_map(|(room, admitted)| room.filter(|room| room.is_public || admitted)).collect())
}

pub(super) async fn admit(mut call: Call, keys: &Keys, room: &str, user_id: &str) -> RedisResult<()> {
    add_to_list(&mut call, &keys.rooms_of(user_id), room).await?;
    let mut script = ADMIT.key(keys.room(room));
    script.key(keys.admitted(room)).arg(call.deadline).arg(user_id).invoke_async(&mut call.redis).await
}

pub(super) async fn may_enter(mut call: Call, keys: &Keys, room: &str, user_id: &str) -> RedisResult<bool> {
    let mut commands = redis::pipe();
    commands.cmd("HGET").arg(keys.room(room)).arg("is_public");
    commands.cmd("SISMEMBER").arg(keys.admitted(room)).arg(user_id);
    let (is_public, admitted): (Option<String>, bool) = commands.query_async(&mut call.redis).await?;
    Ok(is_public.is_some_and(|is_public| is_public == "1" || admitted))
}

async fn add_to_list(call: &mut Call, list: &str, name: &str) -> RedisResult<()> {
    redis::cmd("ZADD").arg(list).arg(0).arg(name).query_async(&mut call.redis).await
}

fn fields_of(keys: &Keys, name: &str) -> redis::Cmd {
    let mut command = redis::cmd("HMGET");
    command.arg(keys.room(name)).arg("created_by").arg("is_public").arg("created_at");
    command
}

fn room_of(name: &str, [created_by, is_public, created_at]: Fields) -> Option<Room> {
    let is_public = is_public? == "1";
    Some(Room { name: name.to_owned(), created_by: created_by?, is_public, created_at: created_at? })
}
