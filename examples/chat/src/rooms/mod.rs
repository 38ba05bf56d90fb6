//! Rooms: finding, creating and removing them, who may enter, and the lists of rooms and users.

mod access;
mod create;
mod lists;
mod removal;

pub(crate) use access::{check_may_enter, check_may_invite, check_may_read};
pub(crate) use create::{create, find_or_create};
pub(crate) use lists::{list_rooms, list_users};
#[cfg(test)]
pub(crate) use removal::remove_abandoned;
pub(crate) use removal::{remove_if_empty, restore_if_removed, start_removal};
