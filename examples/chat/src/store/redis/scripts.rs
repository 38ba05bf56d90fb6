//! Scripts for changes that must be atomic.

use std::sync::LazyLock;

use redis::Script;

/// Loads a script that writes nothing after its caller's deadline.
macro_rules! script_with_deadline {
    ($file:literal) => {
        LazyLock::new(|| Script::new(concat!(include_str!("lua/check_deadline.lua"), include_str!($file))))
    };
}

pub(super) static APPEND: LazyLock<Script> = script_with_deadline!("lua/append.lua");
pub(super) static CREATE_ROOM: LazyLock<Script> = script_with_deadline!("lua/create_room.lua");
pub(super) static ADMIT: LazyLock<Script> = script_with_deadline!("lua/admit.lua");

pub(super) static REMOVE_ROOM: LazyLock<Script> = script_with_deadline!("lua/remove_room.lua");

/// Writes nothing, so it needs no deadline.
pub(super) static RECENT_PAGE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/recent_page.lua")));

/// Error code of a script that runs after its deadline.
pub(super) const LATE: &str = "LATE";
/// Error code of a script whose room does not exist.
pub(super) const NO_ROOM: &str = "NOROOM";
