//! The scope of a rate limit: which messages are counted together.

use super::super::Incoming;
use crate::backend::Subject;

/// Selects the messages that a limit counts together.
pub(super) enum RateLimitScope {
    Connection,
    User,
    Ip,
    Key(Box<KeyFn>),
}

type KeyFn = dyn Fn(&Incoming<'_>) -> Option<String> + Send + Sync;

impl RateLimitScope {
    /// Returns the constructor that the application called, for error texts.
    pub(super) fn constructor(&self) -> &'static str {
        match self {
            Self::Connection => "`RateLimit::per_connection`",
            Self::User => "`RateLimit::per_user`",
            Self::Ip => "`RateLimit::per_ip`",
            Self::Key(_) => "`RateLimit::per`",
        }
    }

    /// Returns the subject that the message counts for, or `None` if it is not limited.
    pub(super) fn subject(&self, message: &Incoming<'_>) -> Option<Subject> {
        match self {
            Self::Connection => Some(Subject::Connection(message.connection_id())),
            Self::User => Some(Subject::User(message.user_id().clone())),
            // A client without a known address is limited by its user instead.
            Self::Ip => Some(match message.ip() {
                Some(ip) => Subject::Ip(ip),
                None => Subject::User(message.user_id().clone()),
            }),
            Self::Key(key) => key(message).map(|key| Subject::Key(key.into())),
        }
    }
}
