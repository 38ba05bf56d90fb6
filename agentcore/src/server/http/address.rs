//! Where a client is: the other end of its connection, or whom our proxies name.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;

use super::state::AppState;
use crate::settings::Settings;

/// The address of a request's client, for REST handlers: behind a proxy of `TRUSTED_PROXIES` the one that it names.
///
/// It is `None` when the server that runs the router hands no addresses on; [`App::into_router`](crate::App::into_router)
/// says how it does.
///
/// ```
/// use agentcore::extract::ClientIp;
///
/// async fn whoami(ClientIp(ip): ClientIp) -> String {
///     ip.map_or("nobody knows".to_owned(), |ip| ip.to_string())
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientIp(pub Option<IpAddr>);

impl<S: Send + Sync> FromRequestParts<S> for ClientIp {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let state = parts.extensions.get::<Arc<AppState>>();
        Ok(Self(state.and_then(|state| address(state.manager().settings(), parts))))
    }
}

/// The client's address, `None` when nobody has noted where the connection comes from.
pub(in crate::server) fn address(settings: &Settings, parts: &Parts) -> Option<IpAddr> {
    let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
    let forwarded = parts.headers.get_all("x-forwarded-for").into_iter();
    // A value that is no text ends the chain, as an entry that is no address does.
    Some(settings.trusted_proxies.client(peer.ip(), forwarded.map(|value| value.to_str().unwrap_or_default())))
}
