//! REST endpoints: the history of a room, and the status of this node.

use std::collections::HashMap;
use std::time::Duration;

use agentcore::Authenticator;
use agentcore::axum::body::{Body, Bytes};
use agentcore::axum::extract::rejection::PathRejection;
use agentcore::axum::extract::{Path, Query};
use agentcore::axum::http::StatusCode;
use agentcore::axum::http::header::CONTENT_TYPE;
use agentcore::axum::http::request::Parts;
use agentcore::axum::middleware::map_response;
use agentcore::axum::response::{IntoResponse, Response};
use agentcore::axum::routing::get;
use agentcore::axum::{Extension, Json, Router};
use agentcore::error::ErrorCategory;
use agentcore::extract::ClientIp;
use agentcore::prelude::*;

use super::headers;
use super::history_permits::{HistoryPermit, HistoryPermits};
use crate::auth::Tokens;
use crate::errors::no_such_room;
use crate::messages::ChatMessage;
use crate::store::Store;

/// Maximum length of a page of a history, in bytes of JSON. A page of 1,000 long messages would have up to 24 MB.
const MAX_PAGE: usize = 2 * 1024 * 1024;

/// Returns the routes under `/api`.
pub(crate) fn routes() -> Router {
    Router::new()
        .route("/api/rooms/{room}/messages", get(messages))
        .route("/api/status", get(status))
        .layer(Extension(HistoryPermits::default()))
        .layer(map_response(headers::add_security_headers))
}

/// The last messages of a room, oldest first; fewer than were asked for if they do not fit into a page.
#[message]
struct RoomMessages {
    room: String,
    messages: Vec<ChatMessage>,
    count: usize,
}

async fn messages(
    State(store): State<Store>,
    State(tokens): State<Option<Tokens>>,
    Extension(permits): Extension<HistoryPermits>,
    ClientIp(address): ClientIp,
    name: Result<Path<String>, PathRejection>,
    Query(query): Query<HashMap<String, String>>,
    request: Parts,
) -> Result<Response> {
    // A path that is not UTF-8 names no room, and neither does this character.
    let name = name.map_or_else(|_| "\u{fffd}".to_owned(), |Path(name)| name);
    let limit = parse_limit(query.get("limit"))?;
    let permit = permits.try_acquire(address).ok_or_else(busy)?;
    let room = store.room(&name).await?.ok_or_else(|| no_such_room(&name).with_status(StatusCode::NOT_FOUND))?;
    if !room.is_public {
        check_member(&store, tokens, &room.name, &request).await?;
    }
    let messages: Vec<_> =
        store.recent_page(&name, limit, MAX_PAGE).await?.into_iter().map(ChatMessage::from).collect();
    let page = RoomMessages { room: name, count: messages.len(), messages };
    let json = serde_json::to_vec(&page).internal()?;
    let body = Bytes::from_owner(Page { json, _permit: permit });
    Ok(([(CONTENT_TYPE, "application/json")], Body::from(body)).into_response())
}

/// The body of a page. The permit is held until the server has written the body or dropped the connection.
struct Page {
    json: Vec<u8>,
    _permit: HistoryPermit,
}

impl AsRef<[u8]> for Page {
    fn as_ref(&self) -> &[u8] {
        &self.json
    }
}

/// Checks that the request's token belongs to a user whom the room admits. A request over HTTP has joined no room.
async fn check_member(store: &Store, tokens: Option<Tokens>, room: &str, request: &Parts) -> Result<()> {
    let tokens = tokens.ok_or_else(|| {
        Error::authorization("only members may read the messages of a private room, and a server without CHAT_SECRET cannot verify members")
    })?;
    let identity = tokens.authenticate(request).await?;
    if store.may_enter(room, identity.user().as_str()).await? {
        return Ok(());
    }
    Err(Error::authorization("only members may read the messages of a private room"))
}

fn busy() -> Error {
    let text = "too many histories are being read at the same time";
    Error::new(ErrorCategory::RateLimit, "TOO_MANY_REQUESTS", text).with_retry_after(Duration::from_secs(1))
}

fn parse_limit(text: Option<&String>) -> Result<u32> {
    let Some(text) = text else { return Ok(50) };
    match text.parse() {
        Ok(limit) if (1..=1000).contains(&limit) => Ok(limit),
        _ => Err(Error::invalid_field("limit", "range", "must be a whole number from 1 to 1000")),
    }
}

/// The state of this node.
#[message]
struct Status {
    status: String,
    backend_type: String,
    node: String,
    connections: usize,
    users: usize,
    groups: usize,
}

async fn status(State(manager): State<ConnectionManager>) -> Json<Status> {
    let stats = manager.stats();
    Json(Status {
        status: "ok".to_owned(),
        backend_type: stats.backend_type.to_owned(),
        node: stats.node.to_string(),
        connections: stats.connections,
        users: stats.users,
        groups: stats.groups,
    })
}
