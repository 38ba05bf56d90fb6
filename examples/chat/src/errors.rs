//! What clients are told when the store does not do as asked.

use agentcore::Error;
use agentcore::error::ErrorCategory;

use crate::store::StoreError;

/// With this, `?` turns a store's error into an answer; its cause goes to the log.
impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let (text, is_retryable) = (error.to_string(), error.is_retryable());
        match error {
            StoreError::NoSuchRoom(room) => no_such_room(&room),
            // Only the start opens a store; it tells this on the terminal.
            StoreError::Open { source, .. } => {
                Self::new(ErrorCategory::System, "CANNOT_START", text).with_source(source)
            }
            StoreError::Unavailable(cause) | StoreError::Failed(cause) if is_retryable => {
                Self::backend(text).with_source(cause)
            }
            StoreError::Unavailable(cause) | StoreError::Failed(cause) => Self::internal(cause),
        }
    }
}

/// The room that was asked for is not there.
pub(crate) fn no_such_room(room: &str) -> Error {
    Error::new(ErrorCategory::Validation, "NO_SUCH_ROOM", format!("there is no room `{room}`"))
}
