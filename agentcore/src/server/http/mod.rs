//! HTTP: accepting connections, routing, identifying requesters, and the upgrade to a WebSocket session.

pub(super) mod accept;
mod address;
pub(super) mod app_state;
pub(super) mod connection;
pub(super) mod cors;
pub mod extract;
mod host;
pub(super) mod identify;
mod response;
pub(super) mod routing;
pub(super) mod signals;
pub(super) mod status;
mod test_credentials;
mod upgrade;

#[cfg(feature = "test-util")]
pub(crate) use {connection::HttpConnections, test_credentials::TestCredentials};
