//! From an HTTP request to a connection on its worker.

use std::sync::Arc;

use axum::RequestExt;
use axum::extract::{RawPathParams, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::connection::{Arrival, serve};
use super::http::{Shared, stopping};
use super::socket::Socket;
use crate::consumer::{Mount, Opening, Prepared};
use crate::error::{Error, ErrorCategory, Result};
use crate::id::UserId;
use crate::metrics::Bound;
use crate::wire;

/// Users without a name get one with this prefix, which a client cannot claim.
const ANONYMOUS: &str = "anon-";

/// Answers a request for a consumer: 101, or the reason why not.
pub(super) async fn upgrade(shared: Arc<Shared>, mount: Mount, mut request: Request) -> Response {
    if shared.is_stopping() {
        shared.manager().metrics().refused(Bound::Stopping);
        return stopping().into_response();
    }
    let accepted = match wire::accept(&request) {
        Ok(accepted) => accepted,
        Err(refusal) => return refuse(refusal.status, refusal.message),
    };
    let (prepared, user) = match prepare(&shared, mount, &mut request).await {
        Ok(prepared) => prepared,
        Err(error) => return error.into_response(),
    };
    let admitted = match shared.manager().admit(user.clone()).await {
        Ok(admitted) => admitted,
        Err(error) => return error.into_response(),
    };
    let ours = accepted.ours;
    // Before the answer: a stop that comes now waits for this connection, and closes it.
    let Some(shard) = shared.manager().registry().choose().cloned() else { return stopping().into_response() };
    let (berth, consumer) = (shard.berth(), mount.number);
    tokio::spawn(async move {
        // A client that went away meanwhile gives its place back here.
        let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
        let Ok(socket) = Socket::of(upgraded) else { return };
        let (manager, chain) = (shared.manager().clone(), shared.chain().cloned());
        let arrival =
            Arrival { socket, prepared, admitted, manager, shard: shard.clone(), berth, chain, consumer, ours };
        if let Some(runtime) = shard.runtime() {
            runtime.spawn(serve(Box::new(arrival)));
        }
    });
    accepted.response
}

/// Builds the consumer, and finds out whose connection it is.
async fn prepare(shared: &Shared, mount: Mount, request: &mut Request) -> Result<(Box<dyn Prepared>, UserId)> {
    let path = path_of(request).await?;
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).into_owned().collect();
    let prepared = mount.open(&Opening::new(&path, &query, shared.states()))?;
    let user = match prepared.user() {
        Some(user) if user.as_str().starts_with(ANONYMOUS) => {
            return Err(Error::validation(format!("a user id must not start with `{ANONYMOUS}`")));
        }
        Some(user) => user.clone(),
        None => UserId::new(format!("{ANONYMOUS}{}", uuid::Uuid::new_v4()))?,
    };
    Ok((prepared, user))
}

async fn path_of(request: &mut Request) -> Result<Vec<(String, String)>> {
    let params = request
        .extract_parts::<RawPathParams>()
        .await
        .map_err(|_| Error::validation("the path is not percent-encoded UTF-8"))?;
    Ok(params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
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
