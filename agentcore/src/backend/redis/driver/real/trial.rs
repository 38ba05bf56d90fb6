//! The trial of every command that a node needs, so that a missing right shows when the node starts.

use redis::Value;

use super::connection::{RedisConnection, failed};
use super::context::DriverContext;
use super::script_args::ScriptCall;
use super::text;
use crate::backend::redis::driver::refusal::RedisRefusal;
use crate::error::{Error, Result};

/// Name in the keys that the trial writes and removes.
const NAME: &str = "trial";

/// Tries all commands once.
///
/// # Errors
/// The first command that the server refuses, or the server is part of a Redis Cluster or a Sentinel.
pub(super) async fn run(connection: &RedisConnection, context: &DriverContext) -> Result<()> {
    let mode = mode(connection.call(&redis::cmd("HELLO")).await?).unwrap_or_default();
    if mode == "cluster" || mode == "sentinel" {
        let text = format!("the server is in {mode} mode: Redis Cluster and Sentinel are not supported");
        return Err(Error::start(text));
    }
    let keyspace = &context.keyspace;
    for prefix in [keyspace.registry_prefix(), keyspace.rate_prefix(NAME)] {
        let call = ScriptCall::new(&context.scripts.trial, &[format!("{prefix}:{NAME}")]);
        let refused = connection.run(call.script, &call.command).await?;
        let refused: Option<(String, String)> = redis::from_redis_value(refused).map_err(failed)?;
        if let Some((command, reason)) = refused {
            let text = format!("the node needs the command {command}, also in scripts");
            return Err(Error::start(text).with_source(RedisRefusal(reason)));
        }
    }
    Ok(())
}

/// Returns the mode in the reply to `HELLO`.
fn mode(hello: Value) -> Option<String> {
    let Value::Map(fields) = hello else { return None };
    fields.into_iter().find_map(|(name, value)| if text(name)? == "mode" { text(value) } else { None })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops where it fails")]
mod tests {
    use std::collections::BTreeSet;

    use regex::Regex;

    /// Returns the commands that a script calls.
    fn commands(script: &str) -> BTreeSet<String> {
        let call = Regex::new(r"call\('([A-Z]+)'").unwrap();
        call.captures_iter(script).map(|found| found[1].to_owned()).collect()
    }

    #[test]
    fn every_command_of_the_scripts_is_tried() {
        let tried = include_str!("../../scripts/trial.lua");
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/backend/redis/scripts");
        let scripts = std::fs::read_dir(folder).unwrap();
        let used = scripts.flat_map(|file| commands(&std::fs::read_to_string(file.unwrap().path()).unwrap()));
        let used: BTreeSet<_> = used.collect();
        assert!(used.len() > 20, "{used:?}");
        for command in used.iter().filter(|command| *command != "PUBLISH") {
            assert!(tried.contains(&format!("{{ '{command}'")), "{command} is not tried");
        }
    }
}
