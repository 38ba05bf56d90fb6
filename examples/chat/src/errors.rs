//! Conversion of the store's errors into errors for clients.

use agentcore::Error;
use agentcore::error::ErrorCategory;

use crate::store::StoreError;

/// Lets `?` turn a store's error into an error for the client; the cause goes to the log only.
impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let (text, is_retryable) = (error.to_string(), error.is_retryable());
        match error {
            StoreError::NoSuchRoom(room) => no_such_room(&room),
            // A store is opened only at the start, which prints this error on the terminal.
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

/// Returns the error for a request that names an unknown room.
pub(crate) fn no_such_room(room: &str) -> Error {
    Error::new(ErrorCategory::Validation, "NO_SUCH_ROOM", format!("there is no room `{room}`"))
}
