//! The removal of keys that something else has replaced by another type, which no script can read.
//!
//! A key of the registry that is removed counts as lost, so every node writes its state again. A quota begins anew.

use super::connection::{RedisConnection, failed};
use super::script_args::ScriptCall;
use crate::backend::redis::driver::refusal::RedisRefusal;
use crate::error::{Error, Result};

/// Returns whether a script failed because a key has another type than it should.
pub(super) fn is_needed(error: &Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<RedisRefusal>());
    // Redis before version 7 puts the code inside of the text.
    source.is_some_and(|RedisRefusal(text)| text.contains("WRONGTYPE"))
}

/// Calls a script of `repair_*.lua`, and logs the keys that it removes.
///
/// # Errors
/// When the call fails.
pub(super) async fn run(connection: &RedisConnection, call: ScriptCall<'_>) -> Result<()> {
    let removed = connection.run(call.script, &call.command).await?;
    let removed: Vec<String> = redis::from_redis_value(removed).map_err(failed)?;
    for key in removed {
        tracing::warn!(key, "a key was replaced by one of another type; it is removed and counts as lost");
    }
    Ok(())
}
