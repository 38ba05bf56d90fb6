//! HTTP: accepting connections, routing, identifying requesters, and the upgrade to a WebSocket session.

pub(super) mod accept;
mod address;
pub(super) mod app_state;
pub(super) mod cors;
pub mod extract;
mod host;
pub(super) mod identify;
mod response;
pub(super) mod routing;
mod serve_connection;
pub(super) mod signals;
pub(super) mod status;
mod test_credentials;
mod upgrade;

#[cfg(feature = "test-util")]
pub(crate) use {serve_connection::serve_stream, test_credentials::TestCredentials};
