//! The address of a client: the peer of its connection, or the address that a trusted proxy forwards.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::request::Parts;

use crate::settings::Settings;

/// Returns the client's address; `None` when the server that accepted the connection did not record the peer.
pub(super) fn client_address(settings: &Settings, parts: &Parts) -> Option<IpAddr> {
    let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(settings.trusted_proxies.client(peer.ip(), &parts.headers))
}
