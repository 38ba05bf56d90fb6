//! Commands on messages.

use std::time::SystemTime;

use agentcore::Timestamp;
use redis::RedisResult;
use serde_json::{from_str, json};

use super::connection::Call;
use super::keys::Keys;
use super::scripts::{APPEND, RECENT_PAGE};
use crate::store::message_id::new_id;
use crate::store::{MESSAGE_OVERHEAD, NewMessage, StoredMessage};

/// Number of messages that are kept of a room.
const MAX_MESSAGES: u32 = 1000;

pub(super) async fn append(mut call: Call, keys: &Keys, message: &NewMessage) -> RedisResult<StoredMessage> {
    let NewMessage { room, user_id, username, text } = message.clone();
    let timestamp = Timestamp::now().to_string();
    let rest = json!([user_id, username, text, timestamp]).to_string();
    let id = new_id(SystemTime::now()).to_string();
    let mut script = APPEND.key(keys.room(&room));
    script.key(keys.messages(&room)).arg(call.deadline).arg(id).arg(rest).arg(MAX_MESSAGES);
    let id = script.invoke_async(&mut call.redis).await?;
    Ok(StoredMessage { id, room, user_id, username, text, timestamp })
}

pub(super) async fn recent(mut call: Call, keys: &Keys, room: &str, limit: u32) -> RedisResult<Vec<StoredMessage>> {
    if limit == 0 {
        // The range from -0 to -1 would be the whole set.
        return Ok(Vec::new());
    }
    let mut command = redis::cmd("ZRANGE");
    command.arg(keys.messages(room)).arg(-i64::from(limit)).arg(-1);
    messages(room, command.query_async(&mut call.redis).await?)
}

pub(super) async fn recent_page(
    mut call: Call,
    keys: &Keys,
    room: &str,
    limit: u32,
    max_bytes: usize,
) -> RedisResult<Vec<StoredMessage>> {
    let mut script = RECENT_PAGE.key(keys.messages(room));
    let members = script.arg(limit).arg(max_bytes).arg(MESSAGE_OVERHEAD).invoke_async(&mut call.redis).await?;
    let mut page = messages(room, members)?;
    page.reverse();
    Ok(page)
}

pub(super) async fn after(
    mut call: Call,
    keys: &Keys,
    room: &str,
    id: &str,
    limit: u32,
) -> RedisResult<Vec<StoredMessage>> {
    let mut command = redis::cmd("ZRANGEBYLEX");
    // A space follows the id in a member. `!` is the next character, so this bound lies between the message and all
    // later ones.
    command.arg(keys.messages(room)).arg(format!("({id}!")).arg("+").arg("LIMIT").arg(0).arg(limit);
    messages(room, command.query_async(&mut call.redis).await?)
}

fn messages(room: &str, members: Vec<String>) -> RedisResult<Vec<StoredMessage>> {
    members.into_iter().map(|member| message(room, &member)).collect()
}

fn message(room: &str, member: &str) -> RedisResult<StoredMessage> {
    let parsed = member.split_once(' ').and_then(|(id, rest)| {
        let (user_id, username, text, timestamp) = from_str(rest).ok()?;
        Some(StoredMessage { id: id.to_owned(), room: room.to_owned(), user_id, username, text, timestamp })
    });
    parsed.ok_or_else(|| (redis::ErrorKind::UnexpectedReturnType, "a message of unknown form").into())
}
