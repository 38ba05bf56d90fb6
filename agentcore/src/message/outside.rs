//! Messages whose type is known at run time only: from programs that are no nodes.

use crate::error::Error;

/// The longest envelope that is taken from outside, in bytes.
pub(crate) const MAX_OUTSIDE: usize = 1 << 20;

/// Whether a message may come from outside: its type has the form of one and is not the protocol's own, and its envelope is
/// not too long.
///
/// # Errors
/// `VALIDATION_FAILED`, saying what is wrong.
pub(crate) fn check_outside(message_type: &str, len: usize) -> Result<(), Error> {
    let mut bytes = message_type.bytes();
    let formed = bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.".contains(&byte))
        && message_type.len() <= 64;
    if !formed {
        return Err(Error::validation(
            "`type` must be 1 to 64 characters: a lower case letter, then lower case letters, digits, `_` and `.`",
        ));
    }
    if matches!(message_type, "ping" | "pong" | "reply" | "error") || message_type.starts_with("agentcore.") {
        return Err(Error::validation(format!("message type `{message_type}` is reserved for the protocol")));
    }
    if len > MAX_OUTSIDE {
        return Err(Error::validation(format!("an envelope has at most {MAX_OUTSIDE} bytes, this one has {len}")));
    }
    Ok(())
}
