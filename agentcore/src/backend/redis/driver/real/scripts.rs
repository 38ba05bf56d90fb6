//! The Lua scripts. Each changes the registry, or decides on a rate, in one atomic step.

use redis::Script;

macro_rules! script {
    ($($part:literal),+) => {
        Script::new(concat!($(include_str!(concat!("../../scripts/", $part, ".lua"))),+))
    };
}

/// The scripts and their hashes.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) join: Script,
    pub(super) renew: Script,
    pub(super) write: Script,
    pub(super) remove: Script,
    pub(super) announce_left: Script,
    pub(super) member_counts: Script,
    pub(super) present_counts: Script,
    pub(super) user_count: Script,
    pub(super) has_user: Script,
    pub(super) rate: Script,
    pub(super) repair_registry: Script,
    pub(super) repair_rates: Script,
    pub(super) trial: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            join: script!("prelude", "view", "join"),
            renew: script!("prelude", "view", "renew"),
            write: script!("prelude", "presence", "write"),
            remove: script!("prelude", "presence", "remove"),
            announce_left: script!("prelude", "view", "presence", "announce_left"),
            member_counts: script!("prelude", "member_counts"),
            present_counts: script!("prelude", "present_counts"),
            user_count: script!("prelude", "user_count"),
            has_user: script!("prelude", "has_user"),
            rate: script!("rate"),
            repair_registry: script!("repair", "repair_registry"),
            repair_rates: script!("repair", "repair_rates"),
            trial: script!("trial"),
        }
    }
}
