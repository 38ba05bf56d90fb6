//! The grammar of message types: `[a-z][a-z0-9_.]{0,63}`, without the types of the protocol.

use syn::LitStr;

use super::case::snake;
use crate::diagnostics::Diagnostic;

const RESERVED: &[&str] = &["ping", "pong", "reply", "error"];

const RESERVED_PREFIX: &str = "agentcore.";

/// The longest message type, in bytes.
const MAX_LEN: usize = 64;

const GRAMMAR: &str =
    "a message type is a letter from `a` to `z`, then up to 63 of `a` to `z`, `0` to `9`, `_` and `.`";

/// Checks that a text can be a message type.
pub(crate) fn check_message_type(literal: &LitStr) -> Result<(), Diagnostic> {
    let text = literal.value();
    if RESERVED.contains(&text.as_str()) || text.starts_with(RESERVED_PREFIX) {
        let error = Diagnostic::new(literal, format_args!("message type `{text}` is reserved for the protocol"));
        return Err(error.note("reserved are `ping`, `pong`, `reply`, `error` and all that start with `agentcore.`"));
    }
    let Some(mistake) = mistake(&text) else { return Ok(()) };
    let mut error = Diagnostic::new(literal, mistake);
    if let Some(suggestion) = suggestion(&text) {
        error = error.help(format_args!("write `\"{suggestion}\"`"));
    }
    Err(error.note(GRAMMAR))
}

fn mistake(text: &str) -> Option<String> {
    if text.is_empty() {
        Some("a message type must not be empty".to_owned())
    } else if text.len() > MAX_LEN {
        Some(format!("a message type must have at most {MAX_LEN} characters, this one has {}", text.chars().count()))
    } else if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        Some(format!("message type `{text}` must start with a letter from `a` to `z`"))
    } else {
        let other = text.chars().find(|c| !is_allowed(*c))?;
        Some(format!("message type `{text}` must not contain `{}`", other.escape_debug()))
    }
}

/// Returns a similar text that can be a message type.
fn suggestion(text: &str) -> Option<String> {
    let allowed: String = snake(text).chars().map(|c| if is_allowed(c) { c } else { '_' }).collect();
    let is_valid = allowed.len() <= MAX_LEN && allowed.starts_with(|c: char| c.is_ascii_lowercase());
    (allowed != text && is_valid).then(|| allowed.replace("__", "_"))
}

fn is_allowed(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.'
}
