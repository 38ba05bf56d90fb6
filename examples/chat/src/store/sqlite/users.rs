//! Statements on users.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, named_params};

use crate::store::StoreError;

pub(super) fn save(db: &Connection, user_id: &str, username: &str) -> Result<(), StoreError> {
    let mut upsert = db.prepare_cached(
        "INSERT INTO users (user_id, username) VALUES (:user_id, :username)
         ON CONFLICT (user_id) DO UPDATE SET username = excluded.username WHERE username <> excluded.username",
    )?;
    upsert.execute(named_params! {":user_id": user_id, ":username": username})?;
    Ok(())
}

pub(super) fn names(db: &Connection, user_ids: &[String]) -> Result<HashMap<String, String>, StoreError> {
    // One lookup in the primary key for each user, with one prepared statement.
    let mut select = db.prepare_cached("SELECT username FROM users WHERE user_id = :user_id")?;
    let mut names = HashMap::with_capacity(user_ids.len());
    for user_id in user_ids {
        if let Some(name) = select.query_row(named_params! {":user_id": user_id}, |row| row.get(0)).optional()? {
            names.insert(user_id.clone(), name);
        }
    }
    Ok(names)
}
