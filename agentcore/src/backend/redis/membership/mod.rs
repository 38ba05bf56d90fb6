//! The registry entries of this node, and its view of the other nodes.
//!
//! [`writer`] is the only writer of this node's entries: admissions, which Redis checks against the limits of the whole
//! cluster, group members, presences and the lease. It makes one call at a time, with everything that has accumulated
//! meanwhile ([`pending`]), so Redis and this node differ by one call at most. If the result of a call is unknown, the
//! node takes a new lease and writes its whole state ([`lease`]).

mod admission;
mod group_quota;
mod lease;
mod namesakes;
mod peers;
mod pending;
mod presence;
mod request;
mod unsynced;
mod writer;

pub(super) use admission::counts_unknown;
pub(super) use group_quota::GroupQuota;
pub(super) use namesakes::Namesakes;
pub(super) use peers::Peers;
pub(super) use pending::PendingWrites;
pub(super) use request::{PresenceEntry, RegistryRequest};
pub(super) use writer::RegistryWriter;
