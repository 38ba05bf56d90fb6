//! From an HTTP request to a connection on its worker.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::identify::identify;
use super::state::AppState;
use crate::consumer::Mount;
use crate::error::{Error, ErrorCategory};
use crate::message::Codec;
use crate::metrics::Bound;
use crate::server::session::{Arrival, Socket, serve};
use crate::wire;

/// Answers a request for a consumer: 101, or the reason why not.
pub(in crate::server) async fn upgrade(state: Arc<AppState>, mount: Mount, request: Request) -> Response {
    if state.manager().is_draining() {
        state.manager().metrics().refused(Bound::Stopping);
        return state.manager().restarting().into_response();
    }
    let accepted = match wire::accept(&request, &Codec::SUBPROTOCOLS) {
        Ok(accepted) => accepted,
        Err(refusal) => return refuse(refusal.status, refusal.message),
    };
    let (mut parts, body) = request.into_parts();
    let (prepared, access) = match identify(&state, mount, &mut parts).await {
        Ok(identified) => identified,
        Err(error) => return error.into_response(),
    };
    let admitted = match state.manager().admit(access.identity().user().clone(), access.ip()).await {
        Ok(admitted) => admitted,
        Err(error) => return error.into_response(),
    };
    let chosen = accepted.subprotocol.and_then(Codec::from_subprotocol);
    // Before the answer: a stop that comes now waits for this connection, and closes it.
    let Some(shard) = state.manager().registry().least_loaded().cloned() else {
        return state.manager().restarting().into_response();
    };
    let (load, consumer) = (shard.load_guard(), mount.number);
    let request = Request::from_parts(parts, body);
    tokio::spawn(async move {
        // A client that went away meanwhile gives its place back here.
        let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
        let Ok(socket) = Socket::of(upgraded) else { return };
        let (manager, chain) = (state.manager().clone(), state.chain().cloned());
        let Some(runtime) = shard.runtime().cloned() else { return };
        let arrival = Arrival { socket, prepared, access, admitted, manager, shard, load, chain, consumer, chosen };
        runtime.spawn(serve(Box::new(arrival)));
    });
    accepted.response
}

fn refuse(status: StatusCode, message: String) -> Response {
    let mut response = Error::new(ErrorCategory::Validation, "BAD_HANDSHAKE", message).into_response();
    *response.status_mut() = status;
    let headers = response.headers_mut();
    match status {
        StatusCode::UPGRADE_REQUIRED => {
            headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET"));
        }
        _ => {}
    }
    response
}
