//! The connection manager, where the registry of this node and the backend meet.
//!
//! It sends, joins and leaves, counts, admits and ends connections. It does not read sockets, run handlers or speak
//! HTTP. `inner.rs` holds its state; the other files add its methods.

mod admission;
mod batches;
mod cluster_groups;
mod confirm;
mod drain;
mod drain_state;
mod first_joins;
mod groups;
mod inner;
mod local_delivery;
mod members;
mod report;
mod resync;
mod route;
mod sending;
mod start;
mod stats;
mod to;

pub use crate::registry::{Connection, ConnectionInfo, Metadata};
pub(crate) use admission::Admitted;
pub use batches::Batches;
pub use confirm::Confirmed;
pub(crate) use drain_state::ActiveGuard;
pub(crate) use groups::PresenceMessages;
pub use inner::ConnectionManager;
pub use members::{Disconnected, Listing};
pub use sending::Sending;
pub use stats::Stats;
pub use to::{AnyConsumer, SentBy, To};
