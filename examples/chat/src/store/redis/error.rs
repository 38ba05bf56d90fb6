//! Classifies Redis' errors as temporary or permanent.

use std::sync::Arc;

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::scripts::NO_ROOM;
use crate::store::StoreError;

impl From<RedisError> for StoreError {
    fn from(error: RedisError) -> Self {
        // A bug in this program, or keys of another program. All other errors mean that Redis is unreachable, full, or
        // failing over to another server.
        let is_permanent = matches!(
            error.kind(),
            ErrorKind::UnexpectedReturnType | ErrorKind::Client | ErrorKind::Server(ServerErrorKind::ResponseError)
        );
        let is_permanent = is_permanent || error.code() == Some("WRONGTYPE");
        if is_permanent { Self::Failed(Arc::new(error)) } else { Self::Unavailable(Arc::new(error)) }
    }
}

/// Converts the error of a script that has found no room.
pub(super) fn in_room(error: StoreError, room: &str) -> StoreError {
    match &error {
        StoreError::Unavailable(cause) | StoreError::Failed(cause) => {
            let cause = cause.downcast_ref::<RedisError>();
            if cause.and_then(RedisError::code) == Some(NO_ROOM) {
                StoreError::NoSuchRoom(room.to_owned())
            } else {
                error
            }
        }
        _ => error,
    }
}
