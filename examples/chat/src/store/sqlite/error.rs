//! Classifies SQLite's errors as temporary or permanent.

use std::sync::Arc;

use rusqlite::ErrorCode;

use crate::store::StoreError;

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let is_temporary = matches!(
            error.sqlite_error_code(),
            Some(
                ErrorCode::CannotOpen
                    | ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::DiskFull
                    | ErrorCode::FileLockingProtocolFailed
                    | ErrorCode::OutOfMemory
                    // An exhausted quota is reported as an I/O error.
                    | ErrorCode::SystemIoFailure
            )
        );
        if is_temporary { Self::Unavailable(Arc::new(error)) } else { Self::Failed(Arc::new(error)) }
    }
}

/// Converts the error of a write that refers to `room`: a violated constraint means that the room does not exist.
pub(super) fn in_room(room: &str) -> impl FnOnce(rusqlite::Error) -> StoreError {
    move |error| match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => StoreError::NoSuchRoom(room.to_owned()),
        _ => error.into(),
    }
}
