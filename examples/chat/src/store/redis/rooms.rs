//! Commands on rooms and admissions.
//!
//! The lists of rooms have other keys than the rooms and may be on other servers of a cluster. So a name is added to
//! its list first, and readers of a list look up each room: a room whose creation failed is on a list and does not
//! exist.

use std::collections::BTreeSet;

use agentcore::Timestamp;
use redis::RedisResult;

use super::connection::Call;
use super::keys::Keys;
use super::scripts::{ADMIT, CREATE_ROOM};
use crate::store::{Creation, Room};

/// `created_by`, `is_public` and `created_at` of a room; all are missing if the room does not exist.
type Fields = [Option<String>; 3];

pub(super) async fn create(
    mut call: Call,
    keys: &Keys,
    name: &str,
    created_by: &str,
    is_public: bool,
) -> RedisResult<Creation> {
    let list = if is_public { keys.public_rooms() } else { keys.rooms_of(created_by) };
    add_to_list(&mut call, &list, name).await?;
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

pub(super) async fn visible_to(mut call: Call, keys: &Keys, user_id: &str, limit: u32) -> RedisResult<Vec<Room>> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut rooms, mut from) = (Vec::new(), "-".to_owned());
    loop {
        let wanted = limit - rooms.len();
        let lists = [keys.public_rooms(), keys.rooms_of(user_id)];
        let mut pages = redis::pipe();
        for list in lists {
            pages.cmd("ZRANGEBYLEX").arg(list).arg(&from).arg("+").arg("LIMIT").arg(0).arg(wanted);
        }
        let pages: [Vec<String>; 2] = pages.query_async(&mut call.redis).await?;
        // A full page may not be the last of its list. Names after its end belong to the next round, so that the two
        // lists stay in order.
        let end = pages.iter().filter(|page| page.len() >= wanted).filter_map(|page| page.last()).min().cloned();
        let names: BTreeSet<_> = pages.into_iter().flatten().collect();
        let names = names.into_iter().filter(|name| end.as_ref().is_none_or(|end| name <= end)).collect();
        rooms.extend(only_visible(&mut call, keys, user_id, names).await?);
        rooms.truncate(limit);
        match end {
            Some(end) if rooms.len() < limit => from = format!("({end}"),
            _ => return Ok(rooms),
        }
    }
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
