//! The error of a Redis that answered and did nothing.

use std::error::Error as _;

use crate::error::Error;

/// The source of an error that says that Redis has refused a call. The text is the answer of Redis.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct RedisRefusal(pub(super) String);

/// Returns whether Redis refused the call, and so did nothing. After any other error the result of the call is unknown.
pub(crate) fn is_refused(error: &Error) -> bool {
    error.source().is_some_and(|source| source.is::<RedisRefusal>())
}

/// Returns the error of a [join](super::Commands::join) that a later join of the same incarnation has overtaken.
pub(super) fn overtaken() -> Error {
    Error::backend("the registry in Redis has a newer lease of this node")
        .with_source(RedisRefusal("a later join of this node came first".to_owned()))
}
