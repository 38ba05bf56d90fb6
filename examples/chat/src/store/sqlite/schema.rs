//! The tables, and the checks before a connection is used.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

/// Version of the tables, stored in the file as `user_version`; a file of another version is refused.
const VERSION: i64 = 1;

/// How long a statement waits for the transaction of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Attempts to switch to a write-ahead log, within `BUSY_TIMEOUT` in all.
const WAL_ATTEMPTS: u32 = 40;

// Admissions and messages reference rooms, and do not reference users: a user can be admitted before the first
// connection.
const TABLES: &str = "
    CREATE TABLE users (
        user_id  TEXT NOT NULL PRIMARY KEY,
        username TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE rooms (
        name       TEXT NOT NULL PRIMARY KEY,
        created_by TEXT NOT NULL,
        is_public  INTEGER NOT NULL CHECK (is_public IN (0, 1)),
        created_at TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX public_rooms ON rooms (name) WHERE is_public;

    CREATE TABLE admissions (
        user_id TEXT NOT NULL,
        room    TEXT NOT NULL REFERENCES rooms (name),
        PRIMARY KEY (user_id, room)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE messages (
        id        TEXT NOT NULL PRIMARY KEY,
        room      TEXT NOT NULL REFERENCES rooms (name),
        user_id   TEXT NOT NULL,
        username  TEXT NOT NULL,
        text      TEXT NOT NULL,
        timestamp TEXT NOT NULL
    ) STRICT;
    CREATE INDEX messages_of_room ON messages (room, id);
";

/// Finds the admissions of a room that is removed. Files of earlier versions of the chat may lack it.
const ADMISSIONS_INDEX: &str = "CREATE INDEX IF NOT EXISTS admissions_of_room ON admissions (room);";

/// Opens the file for reading and writing, and creates the file and the tables if they are missing.
pub(super) fn open(path: &Path) -> Result<Connection, OpenError> {
    let mut db = connect(path)?;
    create_tables(&mut db)?;
    use_write_ahead_log(&db)?;
    // Reads the whole file, so that damage stops the start and not a user's request later.
    let verdict: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(OpenError::Damaged(verdict));
    }
    Ok(db)
}

/// Opens a file that [`open`] has prepared, for reading only.
pub(super) fn open_for_reading(path: &Path) -> Result<Connection, OpenError> {
    let db = connect(path)?;
    db.pragma_update(None, "query_only", true)?;
    Ok(db)
}

/// The reason why a file cannot be used.
#[derive(Debug)]
pub(super) enum OpenError {
    Sqlite(rusqlite::Error),
    Damaged(String),
    OtherVersion(i64),
    NotOurs,
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl std::error::Error for OpenError {}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(error) => error.fmt(f),
            Self::Damaged(verdict) => write!(f, "the database is damaged: {verdict}"),
            Self::OtherVersion(found) => {
                write!(f, "its tables have version {found}, this chat supports version {VERSION}")
            }
            Self::NotOurs => f.write_str("the file is a database, but not one of the chat"),
        }
    }
}

fn connect(path: &Path) -> Result<Connection, OpenError> {
    // Without SQLITE_OPEN_URI, a path that looks like a URI is still a path.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    db.pragma_update(None, "foreign_keys", true)?;
    // With a write-ahead log this survives a crash of the process, and saves an fsync per transaction.
    db.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(db)
}

fn create_tables(db: &mut Connection) -> Result<(), OpenError> {
    // An immediate transaction excludes other nodes that start on the same new file: only one creates the tables.
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version == VERSION {
        transaction.execute_batch(ADMISSIONS_INDEX)?;
        return Ok(transaction.commit()?);
    }
    if version != 0 {
        return Err(OpenError::OtherVersion(version));
    }
    let is_empty: bool =
        transaction.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?;
    if !is_empty {
        return Err(OpenError::NotOurs);
    }
    transaction.execute_batch(TABLES)?;
    transaction.execute_batch(ADMISSIONS_INDEX)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    Ok(transaction.commit()?)
}

/// Switches to a write-ahead log, with which readers and the writer do not block each other. The file keeps this
/// setting.
fn use_write_ahead_log(db: &Connection) -> rusqlite::Result<()> {
    let mut attempts_left = WAL_ATTEMPTS;
    loop {
        // The busy timeout does not cover two processes that make this change at the same time.
        match db.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if attempts_left > 0 && error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                attempts_left -= 1;
                std::thread::sleep(BUSY_TIMEOUT / WAL_ATTEMPTS);
            }
            result => return result,
        }
    }
}
