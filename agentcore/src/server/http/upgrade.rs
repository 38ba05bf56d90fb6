//! The upgrade of an HTTP request to a WebSocket session on a worker.

use std::io;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::app_state::AppState;
use super::connection::ObservedIo;
use crate::consumer::Mount;
use crate::error::{Error, ErrorCategory};
use crate::message::Codec;
use crate::metrics::RefusalReason;
use crate::server::session::{Arrival, UpgradedSocket, serve};
use crate::wire;

/// Answers a request for a consumer's path: 101, or the refusal.
pub(super) async fn upgrade(state: Arc<AppState>, mount: Mount, request: Request) -> Response {
    let manager = state.manager().clone();
    if manager.is_draining() {
        manager.metrics().refused(RefusalReason::Stopping);
        return manager.restarting().into_response();
    }
    let accepted = match wire::accept(&request, &Codec::SUBPROTOCOLS) {
        Ok(accepted) => accepted,
        Err(refusal) => return refuse(refusal.status, refusal.message),
    };
    let (mut parts, body) = request.into_parts();
    let (consumer, access) = match state.identification().identify(&manager, state.states(), mount, &mut parts).await {
        Ok(identified) => identified,
        Err(error) => return error.into_response(),
    };
    let admitted = match manager.admit(access.identity().user().clone(), access.ip()).await {
        Ok(admitted) => admitted,
        Err(error) => return error.into_response(),
    };
    let negotiated = accepted.subprotocol.and_then(Codec::from_subprotocol);
    let Some(shard) = manager.registry().least_loaded().cloned() else {
        return manager.restarting().into_response();
    };
    // Counted before the answer, so that a drain that starts now waits for this connection and closes it.
    let load = shard.load_guard();
    let request = Request::from_parts(parts, body);
    tokio::spawn(async move {
        // If the client has gone meanwhile, its admission is released here.
        let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
        let Ok(socket) = socket_of(upgraded) else { return };
        let Some(runtime) = shard.runtime().cloned() else { return };
        runtime.spawn(serve(Box::new(Arrival {
            socket,
            consumer,
            consumer_number: mount.number,
            access,
            admitted,
            manager,
            shard,
            load,
            chain: state.chain().cloned(),
            limits: state.decoder_limits().clone(),
            negotiated,
        })));
    });
    accepted.response
}

/// Takes the socket out of an upgrade, whatever server made it.
fn socket_of(upgraded: Upgraded) -> io::Result<UpgradedSocket> {
    match upgraded.downcast::<TokioIo<ObservedIo<TcpStream>>>() {
        Ok(parts) => UpgradedSocket::tcp(parts.io.into_inner().into_inner(), parts.read_buf),
        Err(upgraded) => UpgradedSocket::of(upgraded),
    }
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
