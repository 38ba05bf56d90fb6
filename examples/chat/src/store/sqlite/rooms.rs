//! Statements on rooms and admissions.

use std::collections::{BTreeSet, HashSet};

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

pub(super) fn visible_to(
    db: &Connection,
    user_id: &str,
    joined: &[String],
    limit: usize,
) -> Result<Vec<Room>, StoreError> {
    let (mut rooms, mut names) = (Vec::new(), HashSet::new());
    let mut add = |room: Room| {
        if rooms.len() < limit && names.insert(room.name.clone()) {
            rooms.push(room);
        }
        rooms.len() < limit
    };
    let joined: BTreeSet<_> = joined.iter().collect();
    for name in joined {
        if let Some(room) = find(db, name)? {
            add(room);
        }
    }
    let mut admitting = db.prepare_cached(
        "SELECT name, created_by, is_public, created_at
         FROM admissions JOIN rooms ON name = room WHERE user_id = :user_id ORDER BY name",
    )?;
    let mut public =
        db.prepare_cached("SELECT name, created_by, is_public, created_at FROM rooms WHERE is_public ORDER BY name")?;
    // Rows are read one at a time, and no more of them than needed.
    let mut rows = admitting.query(named_params! {":user_id": user_id})?;
    while let Some(row) = rows.next()? {
        if !add(room(row)?) {
            break;
        }
    }
    let mut rows = public.query([])?;
    while let Some(row) = rows.next()? {
        if !add(room(row)?) {
            break;
        }
    }
    Ok(rooms)
}

pub(super) fn without_messages(db: &Connection, created_before: &str) -> Result<Vec<Room>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT name, created_by, is_public, created_at FROM rooms
         WHERE is_public AND created_at < :created_before
             AND NOT EXISTS (SELECT 1 FROM messages WHERE room = name)",
    )?;
    let rows = select.query_map(named_params! {":created_before": created_before}, room)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn remove_without_messages(db: &Connection, room: &Room) -> Result<bool, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT EXISTS (
             SELECT 1 FROM rooms WHERE name = :name AND created_at = :created_at
                 AND NOT EXISTS (SELECT 1 FROM messages WHERE room = name)
         )",
    )?;
    let values = named_params! {":name": room.name, ":created_at": room.created_at};
    if !select.query_row(values, |row| row.get::<_, bool>(0))? {
        return Ok(false);
    }
    // Admissions reference the room, so they are removed first.
    for statement in ["DELETE FROM admissions WHERE room = :name", "DELETE FROM rooms WHERE name = :name"] {
        db.prepare_cached(statement)?.execute(named_params! {":name": room.name})?;
    }
    Ok(true)
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
