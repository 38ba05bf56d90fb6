//! What has to change in one step, as scripts that Redis runs.

use std::sync::LazyLock;

use redis::Script;

/// A script that writes nothing once nobody waits for it.
macro_rules! in_time {
    ($file:literal) => {
        LazyLock::new(|| Script::new(concat!(include_str!("lua/check_deadline.lua"), include_str!($file))))
    };
}

pub(super) static APPEND: LazyLock<Script> = in_time!("lua/append.lua");
pub(super) static CREATE_ROOM: LazyLock<Script> = in_time!("lua/create_room.lua");
pub(super) static ADMIT: LazyLock<Script> = in_time!("lua/admit.lua");

/// The error of a script whose caller has given up.
pub(super) const LATE: &str = "LATE";
/// The error of a script whose room was never created.
pub(super) const NO_ROOM: &str = "NOROOM";
