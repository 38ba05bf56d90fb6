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

pub(super) use group_quota::GroupQuota;
pub(super) use peers::Peers;
pub(super) use pending::PendingWrites;
pub(super) use request::{PresenceEntry, RegistryRequest};
pub(super) use writer::RegistryWriter;
