//! `POST /api/publish`: another program sends a message to connected clients.
//!
//! The message is passed on unchanged and not stored. Its type may be unknown to this program.

use std::collections::BTreeMap;

use agentcore::axum::body::Bytes;
use agentcore::axum::extract::rejection::BytesRejection;
use agentcore::axum::extract::{DefaultBodyLimit, FromRequest, Request};
use agentcore::axum::http::StatusCode;
use agentcore::axum::middleware::map_response;
use agentcore::axum::routing::post;
use agentcore::axum::{Json, Router};
use agentcore::prelude::*;
use serde_json::Value;
use serde_json::value::RawValue;

use super::headers;
use crate::auth::PublishKey;
use crate::names::{ChatUser, room_name};

/// Maximum length of a body, in bytes: enough for text messages.
const MAX_BODY: usize = 64 * 1024;

/// Returns the route; the application must have a [`PublishKey`] as its state.
pub(crate) fn routes() -> Router {
    Router::new()
        .route("/api/publish", post(publish))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(map_response(headers::add_security_headers))
}

/// The message is on its way; this does not say that any client is there to receive it.
#[message]
struct Accepted {
    ok: bool,
}

async fn publish(
    State(key): State<PublishKey>,
    State(manager): State<ConnectionManager>,
    request: Request,
) -> Result<(StatusCode, Json<Accepted>)> {
    // Before the body is read: a client without the key gets its answer at once and costs no memory.
    if !key.matches(request.headers()) {
        return Err(Error::authentication("`Authorization: Bearer <key>` must have the key of CHAT_PUBLISH_KEY"));
    }
    let body = Bytes::from_request(request, &()).await.map_err(|rejection: BytesRejection| {
        Error::validation(rejection.body_text()).with_status(rejection.status())
    })?;
    let Publication { to, message_type, data } = Publication::parse(&body)?;
    let to = match to {
        Recipient::Group(room) => manager.group(room),
        Recipient::User(user) => manager.user(user),
        Recipient::Everyone => manager.everyone(),
    };
    to.send_raw(&message_type, &data).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { ok: true })))
}

/// A body that keeps the chat's rules. The framework checks the message type when it is sent.
struct Publication {
    to: Recipient,
    message_type: String,
    data: Box<RawValue>,
}

enum Recipient {
    Group(String),
    User(UserId),
    Everyone,
}

impl Publication {
    fn parse(body: &[u8]) -> Result<Self> {
        if body.starts_with("\u{feff}".as_bytes()) {
            return Err(Error::invalid_field("", "json", "the body must be JSON: it begins with a byte order mark"));
        }
        // Raw values keep the data as it is, including integers that no Rust type can hold.
        let mut fields: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(body).map_err(|error| {
            Error::invalid_field(
                "",
                "json",
                format!("the body must be an object with `to`, `type` and `data`: {error}"),
            )
        })?;
        let mut take =
            |name: &str| fields.remove(name).ok_or_else(|| Error::invalid_field(name, "required", "is missing"));
        let (to, message_type, data) = (take("to")?, take("type")?, take("data")?);
        if let Some(other) = fields.keys().next() {
            return Err(Error::invalid_field(other, "unknown", "is unknown: the fields are `to`, `type` and `data`"));
        }
        let message_type = serde_json::from_str(message_type.get());
        let message_type = message_type.map_err(|_| Error::invalid_field("type", "type", "must be a string"))?;
        Ok(Self { to: Recipient::parse(to.get())?, message_type, data })
    }
}

impl Recipient {
    fn parse(to: &str) -> Result<Self> {
        let malformed = || {
            let forms = r#"must be {"group": "lobby"}, {"user": "alice"} or "everyone""#;
            Error::invalid_field("to", "form", forms)
        };
        let to: Value = serde_json::from_str(to).map_err(|_nested_too_deep| malformed())?;
        if to == "everyone" {
            return Ok(Self::Everyone);
        }
        let mut pairs = to.as_object().into_iter().flatten();
        match (pairs.next(), pairs.next()) {
            (Some((kind, Value::String(name))), None) if kind == "group" => {
                let checked = match name.len() {
                    1..=50 => room_name(name),
                    _ => Err("must have 1 to 50 characters"),
                };
                checked.map_err(|rule| Error::invalid_field("to.group", "name", rule))?;
                Ok(Self::Group(name.clone()))
            }
            (Some((kind, Value::String(name))), None) if kind == "user" => {
                let user: ChatUser =
                    name.parse().map_err(|rule: &str| Error::invalid_field("to.user", "name", rule))?;
                Ok(Self::User(user.id().clone()))
            }
            _ => Err(malformed()),
        }
    }
}
