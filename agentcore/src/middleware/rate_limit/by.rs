//! Whose messages are counted together.

use super::super::Incoming;
use crate::backend::Subject;

/// What a limit is kept per.
pub(super) enum By {
    Connection,
    User,
    Ip,
    Key(Box<Key>),
}

type Key = dyn Fn(&Incoming<'_>) -> Option<String> + Send + Sync;

impl By {
    /// As the application wrote it, for errors.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Connection => "`RateLimit::per_connection`",
            Self::User => "`RateLimit::per_user`",
            Self::Ip => "`RateLimit::per_ip`",
            Self::Key(_) => "`RateLimit::per`",
        }
    }

    /// Whose this message is; `None` when it is not counted.
    pub(super) fn subject(&self, message: &Incoming<'_>) -> Option<Subject> {
        match self {
            Self::Connection => Some(Subject::Connection(message.connection_id())),
            Self::User => Some(Subject::User(message.user_id().clone())),
            // Of a client without a known address, the user is the next best thing.
            Self::Ip => Some(match message.ip() {
                Some(ip) => Subject::Ip(ip),
                None => Subject::User(message.user_id().clone()),
            }),
            Self::Key(key) => key(message).map(|key| Subject::Key(key.into())),
        }
    }
}
