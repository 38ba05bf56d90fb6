//! Everything a client or a REST handler sees over plain HTTP: accepting, routing, identifying the requester, the upgrade.

pub(super) mod accept;
pub(super) mod address;
pub(super) mod cors;
pub mod extract;
pub(super) mod identify;
pub(super) mod routing;
pub(super) mod state;
pub(super) mod status;
pub(super) mod test_credentials;
pub(super) mod upgrade;
