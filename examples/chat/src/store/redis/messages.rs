//! The commands about messages.

use agentcore::Timestamp;
use redis::RedisResult;
use serde_json::{from_str, json};
use uuid::Uuid;

use super::connection::Call;
use super::keys::Keys;
use super::scripts::APPEND;
use crate::store::{Draft, Message};

/// So many messages of a room are kept.
const KEPT: u32 = 1000;

pub(super) async fn append(mut call: Call, keys: &Keys, draft: &Draft) -> RedisResult<Message> {
    let Draft { room, user_id, username, text } = draft.clone();
    let timestamp = Timestamp::now().to_string();
    let rest = json!([user_id, username, text, timestamp]).to_string();
    let mut script = APPEND.key(keys.room(&room));
    script.key(keys.messages(&room)).arg(call.deadline).arg(Uuid::now_v7().to_string()).arg(rest).arg(KEPT);
    let id = script.invoke_async(&mut call.redis).await?;
    Ok(Message { id, room, user_id, username, text, timestamp })
}

pub(super) async fn recent(mut call: Call, keys: &Keys, room: &str, limit: u32) -> RedisResult<Vec<Message>> {
    if limit == 0 {
        // Not "from the last to the one before it", which would be all.
        return Ok(Vec::new());
    }
    let mut ask = redis::cmd("ZRANGE");
    ask.arg(keys.messages(room)).arg(-i64::from(limit)).arg(-1);
    messages(room, ask.query_async(&mut call.redis).await?)
}

pub(super) async fn after(mut call: Call, keys: &Keys, room: &str, id: &str, limit: u32) -> RedisResult<Vec<Message>> {
    let mut ask = redis::cmd("ZRANGEBYLEX");
    // Behind an id stands a space, and `!` is the next character: this is after the message, and before all later ones.
    ask.arg(keys.messages(room)).arg(format!("({id}!")).arg("+").arg("LIMIT").arg(0).arg(limit);
    messages(room, ask.query_async(&mut call.redis).await?)
}

fn messages(room: &str, members: Vec<String>) -> RedisResult<Vec<Message>> {
    members.into_iter().map(|member| message(room, &member)).collect()
}

fn message(room: &str, member: &str) -> RedisResult<Message> {
    let parsed = member.split_once(' ').and_then(|(id, rest)| {
        let (user_id, username, text, timestamp) = from_str(rest).ok()?;
        Some(Message { id: id.to_owned(), room: room.to_owned(), user_id, username, text, timestamp })
    });
    parsed.ok_or_else(|| (redis::ErrorKind::UnexpectedReturnType, "a message in a form that is not the chat's").into())
}
