//! What this node has in the registry, and the other nodes in it.

mod admission;
mod group_quota;
mod lease;
mod peers;
mod pending;
mod presence;
mod request;
mod unsynced;
mod writer;

pub(super) use group_quota::GroupPlaces;
pub(super) use peers::Peers;
pub(super) use pending::State;
pub(super) use request::{Ask, Entry};
pub(super) use writer::Desk;
