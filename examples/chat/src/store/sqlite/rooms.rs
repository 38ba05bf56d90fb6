//! Statements on rooms and admissions.

use agentcore::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, named_params};

use super::error::in_room;
use crate::store::{Creation, Room, StoreError};

pub(super) fn create(db: &Connection, name: &str, created_by: &str, is_public: bool) -> Result<Creation, StoreError> {
    // Write transactions exclude each other, so no other node can insert the room before this one does.
    if let Some(room) = find(db, name)? {
        return Ok(Creation::Exists(room));
    }
    let created_at = Timestamp::now().to_string();
    let room = Room { name: name.to_owned(), created_by: created_by.to_owned(), is_public, created_at };
    let mut insert = db.prepare_cached(
        "INSERT INTO rooms (name, created_by, is_public, created_at)
         VALUES (:name, :created_by, :is_public, :created_at)",
    )?;
    insert.execute(named_params! {
        ":name": room.name,
        ":created_by": room.created_by,
        ":is_public": room.is_public,
        ":created_at": room.created_at,
    })?;
    admit(db, name, created_by)?;
    Ok(Creation::Created(room))
}

pub(super) fn find(db: &Connection, name: &str) -> Result<Option<Room>, StoreError> {
    let mut select =
        db.prepare_cached("SELECT name, created_by, is_public, created_at FROM rooms WHERE name = :name")?;
    Ok(select.query_row(named_params! {":name": name}, room).optional()?)
}

pub(super) fn visible_to(db: &Connection, user_id: &str, limit: u32) -> Result<Vec<Room>, StoreError> {
    // Each half of the union uses an index, so private rooms of others are not scanned.
    let mut select = db.prepare_cached(
        "SELECT name, created_by, is_public, created_at FROM rooms WHERE is_public
         UNION
         SELECT name, created_by, is_public, created_at
         FROM admissions JOIN rooms ON name = room WHERE user_id = :user_id
         ORDER BY name LIMIT :limit",
    )?;
    let rows = select.query_map(named_params! {":user_id": user_id, ":limit": limit}, room)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn admit(db: &Connection, room: &str, user_id: &str) -> Result<(), StoreError> {
    let mut insert = db.prepare_cached(
        "INSERT INTO admissions (user_id, room) VALUES (:user_id, :room) ON CONFLICT (user_id, room) DO NOTHING",
    )?;
    insert.execute(named_params! {":user_id": user_id, ":room": room}).map_err(in_room(room))?;
    Ok(())
}

pub(super) fn may_enter(db: &Connection, room: &str, user_id: &str) -> Result<bool, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT EXISTS (
             SELECT 1 FROM rooms WHERE name = :room AND (
                 is_public OR EXISTS (SELECT 1 FROM admissions WHERE user_id = :user_id AND room = :room)
             )
         )",
    )?;
    Ok(select.query_row(named_params! {":room": room, ":user_id": user_id}, |row| row.get(0))?)
}

fn room(row: &Row<'_>) -> rusqlite::Result<Room> {
    Ok(Room {
        name: row.get("name")?,
        created_by: row.get("created_by")?,
        is_public: row.get("is_public")?,
        created_at: row.get("created_at")?,
    })
}
