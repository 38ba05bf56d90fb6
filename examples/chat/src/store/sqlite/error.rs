//! Which of SQLite's errors pass, and which stay.

use std::sync::Arc;

use rusqlite::ErrorCode;

use crate::store::StoreError;

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let may_pass = matches!(
            error.sqlite_error_code(),
            Some(
                ErrorCode::CannotOpen
                    | ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::DiskFull
                    | ErrorCode::FileLockingProtocolFailed
                    | ErrorCode::OutOfMemory
                    // A quota that is used up shows as an I/O error.
                    | ErrorCode::SystemIoFailure
            )
        );
        if may_pass { Self::Unavailable(Arc::new(error)) } else { Self::Failed(Arc::new(error)) }
    }
}

/// Names the room in the one broken rule that a caller can meet: a row that points to a room which is not there.
pub(super) fn in_room(room: &str) -> impl FnOnce(rusqlite::Error) -> StoreError {
    move |error| match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => StoreError::NoSuchRoom(room.to_owned()),
        _ => error.into(),
    }
}
