//! Statements on messages.

use std::collections::VecDeque;
use std::time::SystemTime;

use agentcore::Timestamp;
use rusqlite::{Connection, Row, named_params};
use uuid::Uuid;

use super::error::in_room;
use crate::store::message_id::new_id;
use crate::store::{MESSAGE_OVERHEAD, NewMessage, StoreError, StoredMessage};

pub(super) fn append(db: &Connection, new: &NewMessage) -> Result<StoredMessage, StoreError> {
    let message = StoredMessage {
        id: next_id(last_id(db)?).to_string(),
        room: new.room.clone(),
        user_id: new.user_id.clone(),
        username: new.username.clone(),
        text: new.text.clone(),
        timestamp: Timestamp::now().to_string(),
    };
    let mut insert = db.prepare_cached(
        "INSERT INTO messages (id, room, user_id, username, text, timestamp)
         VALUES (:id, :room, :user_id, :username, :text, :timestamp)",
    )?;
    insert
        .execute(named_params! {
            ":id": message.id,
            ":room": message.room,
            ":user_id": message.user_id,
            ":username": message.username,
            ":text": message.text,
            ":timestamp": message.timestamp,
        })
        .map_err(in_room(&message.room))?;
    Ok(message)
}

pub(super) fn recent(db: &Connection, room: &str, limit: u32) -> Result<Vec<StoredMessage>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT * FROM (
             SELECT id, room, user_id, username, text, timestamp FROM messages
             WHERE room = :room ORDER BY id DESC LIMIT :limit
         ) ORDER BY id",
    )?;
    let rows = select.query_map(named_params! {":room": room, ":limit": limit}, message)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn recent_page(
    db: &Connection,
    room: &str,
    limit: u32,
    max_bytes: usize,
) -> Result<Vec<StoredMessage>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT id, room, user_id, username, text, timestamp FROM messages
         WHERE room = :room ORDER BY id DESC LIMIT :limit",
    )?;
    let mut rows = select.query(named_params! {":room": room, ":limit": limit})?;
    let (mut page, mut bytes) = (VecDeque::new(), 0);
    while let Some(row) = rows.next()? {
        let message = message(row)?;
        bytes += MESSAGE_OVERHEAD + json_length(&message.username) + json_length(&message.text);
        if bytes > max_bytes {
            break;
        }
        page.push_front(message);
    }
    Ok(page.into())
}

/// Returns the length of a text as JSON, in bytes. Characters that need an escape sequence are longer there.
fn json_length(text: &str) -> usize {
    serde_json::Value::from(text).to_string().len()
}

pub(super) fn after(db: &Connection, room: &str, id: &str, limit: u32) -> Result<Vec<StoredMessage>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT id, room, user_id, username, text, timestamp FROM messages
         WHERE room = :room AND id > :id ORDER BY id LIMIT :limit",
    )?;
    let rows = select.query_map(named_params! {":room": room, ":id": id, ":limit": limit}, message)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn message(row: &Row<'_>) -> rusqlite::Result<StoredMessage> {
    Ok(StoredMessage {
        id: row.get("id")?,
        room: row.get("room")?,
        user_id: row.get("user_id")?,
        username: row.get("username")?,
        text: row.get("text")?,
        timestamp: row.get("timestamp")?,
    })
}

/// Reads the greatest id. Called in the writing transaction, so no other node can store a message in between.
fn last_id(db: &Connection) -> Result<Option<Uuid>, StoreError> {
    let mut select = db.prepare_cached("SELECT max(id) FROM messages")?;
    Ok(select.query_row([], |row| row.get(0).map(|id: Option<String>| id.and_then(|id| id.parse().ok())))?)
}

/// Creates a UUIDv7 that is greater than the last one, even if the clock went back (RFC 9562, 6.2).
fn next_id(last: Option<Uuid>) -> Uuid {
    let id = new_id(SystemTime::now());
    match last {
        Some(last) if last >= id => Uuid::from_u128(last.as_u128().saturating_add(1)),
        _ => id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_when_the_clock_goes_back() {
        let tomorrow = Uuid::new_v7(uuid::Timestamp::from_unix_time(u64::from(u32::MAX), 0, 0, 0));
        let next = next_id(Some(tomorrow));
        assert!(next > tomorrow);
        assert!(next.to_string() > tomorrow.to_string());
        assert_eq!(next.get_version_num(), 7);
        assert!(next_id(Some(next)) > next);
    }

    #[test]
    fn timestamps_are_utc_with_milliseconds() {
        let now = Timestamp::now().to_string();
        assert_eq!(now.len(), "2026-01-02T03:04:05.678Z".len(), "{now}");
        assert!(now.ends_with('Z') && now.contains('.'), "{now}");
    }
}
