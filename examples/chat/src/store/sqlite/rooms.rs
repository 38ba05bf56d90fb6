//! The statements about rooms and users.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row, named_params};

use super::{error::in_room, messages::now};
use crate::store::{Creation, Room, StoreError};

pub(super) fn create(db: &Connection, name: &str, created_by: &str, is_public: bool) -> Result<Creation, StoreError> {
    // Writers take turns, so a room that is not there now cannot appear before the insert below.
    if let Some(room) = find(db, name)? {
        return Ok(Creation::Exists(room));
    }
    let room = Room { name: name.to_owned(), created_by: created_by.to_owned(), is_public, created_at: now() };
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
    // Two halves, each along an index, instead of looking at every private room there is.
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

pub(super) fn remember_user(db: &Connection, user_id: &str, username: &str) -> Result<(), StoreError> {
    let mut upsert = db.prepare_cached(
        "INSERT INTO users (user_id, username) VALUES (:user_id, :username)
         ON CONFLICT (user_id) DO UPDATE SET username = excluded.username WHERE username <> excluded.username",
    )?;
    upsert.execute(named_params! {":user_id": user_id, ":username": username})?;
    Ok(())
}

pub(super) fn usernames(db: &Connection, user_ids: &[String]) -> Result<HashMap<String, String>, StoreError> {
    // One statement for each, prepared once: it is a look into the primary key.
    let mut select = db.prepare_cached("SELECT username FROM users WHERE user_id = :user_id")?;
    let mut names = HashMap::with_capacity(user_ids.len());
    for user_id in user_ids {
        if let Some(name) = select.query_row(named_params! {":user_id": user_id}, |row| row.get(0)).optional()? {
            names.insert(user_id.clone(), name);
        }
    }
    Ok(names)
}

fn room(row: &Row<'_>) -> rusqlite::Result<Room> {
    Ok(Room {
        name: row.get("name")?,
        created_by: row.get("created_by")?,
        is_public: row.get("is_public")?,
        created_at: row.get("created_at")?,
    })
}
