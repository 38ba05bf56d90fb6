//! The scripts, which change the registry and decide on rates in one step each.

use redis::Script;

macro_rules! script {
    ($($part:literal),+) => {
        concat!($(include_str!(concat!("../../scripts/", $part, ".lua"))),+)
    };
}

/// The scripts with their hashes, made once for a driver.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) join: Script,
    pub(super) renew: Script,
    pub(super) write: Script,
    pub(super) remove: Script,
    pub(super) announce_left: Script,
    pub(super) members: Script,
    pub(super) present: Script,
    pub(super) users: Script,
    pub(super) has_user: Script,
    pub(super) take: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            join: Script::new(script!("prelude", "view", "join")),
            renew: Script::new(script!("prelude", "view", "renew")),
            write: Script::new(script!("prelude", "presence", "write")),
            remove: Script::new(script!("prelude", "presence", "remove")),
            announce_left: Script::new(script!("prelude", "view", "presence", "announce_left")),
            members: Script::new(script!("prelude", "member_counts")),
            present: Script::new(script!("prelude", "present_counts")),
            users: Script::new(script!("prelude", "user_count")),
            has_user: Script::new(script!("prelude", "has_user")),
            take: Script::new(script!("rate")),
        }
    }
}
