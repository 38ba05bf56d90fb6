//! The chat over HTTP: the history of a room, and how the server does.

use std::collections::HashMap;
use std::time::Duration;

use agentcore::Authenticator;
use agentcore::axum::extract::rejection::PathRejection;
use agentcore::axum::extract::{Path, Query};
use agentcore::axum::http::StatusCode;
use agentcore::axum::http::request::Parts;
use agentcore::axum::middleware::map_response;
use agentcore::axum::routing::get;
use agentcore::axum::{Json, Router};
use agentcore::error::ErrorCategory;
use agentcore::prelude::*;
use agentcore::tokio::sync::Semaphore;

use super::headers;
use crate::auth::Tokens;
use crate::errors::no_such_room;
use crate::messages::Said;
use crate::store::Store;

/// The routes under `/api`.
pub(crate) fn routes() -> Router {
    Router::new()
        .route("/api/rooms/{room}/messages", get(messages))
        .route("/api/status", get(status))
        .layer(map_response(headers::secure))
}

/// The last messages of a room, oldest first.
#[message]
struct RoomMessages {
    room: String,
    messages: Vec<Said>,
    count: usize,
}

async fn messages(
    State(store): State<Store>,
    State(tokens): State<Option<Tokens>>,
    name: Result<Path<String>, PathRejection>,
    Query(query): Query<HashMap<String, String>>,
    request: Parts,
) -> Result<Json<RoomMessages>> {
    // What is no text is no room's name.
    let name = name.map_or_else(|_| "\u{fffd}".to_owned(), |Path(name)| name);
    let limit = limit(query.get("limit"))?;
    let _place = HISTORIES.try_acquire().map_err(|_all_taken| busy())?;
    let room = store.room(&name).await?.ok_or_else(|| no_such_room(&name).with_status(StatusCode::NOT_FOUND))?;
    if !room.is_public {
        must_be_member(&store, tokens, &room.name, &request).await?;
    }
    let messages: Vec<_> = store.recent(&name, limit).await?.into_iter().map(Said::from).collect();
    Ok(Json(RoomMessages { room: name, count: messages.len(), messages }))
}

/// Over HTTP nobody has joined: a member is whoever the room admits, and the token says who that is.
async fn must_be_member(store: &Store, tokens: Option<Tokens>, room: &str, request: &Parts) -> Result<()> {
    let tokens = tokens.ok_or_else(|| {
        Error::authorization("the messages of a private room are for its members, and without CHAT_SECRET there is no way to be known as one")
    })?;
    let identity = tokens.authenticate(request).await?;
    if store.may_enter(room, identity.user().as_str()).await? {
        return Ok(());
    }
    Err(Error::authorization("the messages of a private room are for its members"))
}

/// So many histories are read at once. A page of 1,000 messages is some megabytes, and whoever asks for many at once must
/// not delay those who chat.
static HISTORIES: Semaphore = Semaphore::const_new(16);

fn busy() -> Error {
    let text = "too many histories are being read at the moment";
    Error::new(ErrorCategory::RateLimit, "TOO_MANY_REQUESTS", text).with_retry_after(Duration::from_secs(1))
}

fn limit(text: Option<&String>) -> Result<u32> {
    let Some(text) = text else { return Ok(50) };
    match text.parse() {
        Ok(limit) if (1..=1000).contains(&limit) => Ok(limit),
        _ => Err(Error::invalid_field("limit", "range", "must be a whole number from 1 to 1000")),
    }
}

/// What this node holds.
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
