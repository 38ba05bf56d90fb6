//! Which of Redis' errors pass, and which stay.

use std::sync::Arc;

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::scripts::NO_ROOM;
use crate::store::StoreError;

impl From<RedisError> for StoreError {
    fn from(error: RedisError) -> Self {
        // A fault of this program, or keys that are somebody else's. All the rest is Redis being away, full, or on its
        // way from one server to another.
        let stays = matches!(
            error.kind(),
            ErrorKind::UnexpectedReturnType | ErrorKind::Client | ErrorKind::Server(ServerErrorKind::ResponseError)
        );
        let stays = stays || error.code() == Some("WRONGTYPE");
        if stays { Self::Failed(Arc::new(error)) } else { Self::Unavailable(Arc::new(error)) }
    }
}

/// Names the room in the one broken rule that a caller can meet.
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
