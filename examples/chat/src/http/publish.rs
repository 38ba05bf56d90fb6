//! `POST /api/publish`: another program sends a message to those who are connected, with a key.
//!
//! The message is handed over as it is and kept nowhere; its type may be one that this program does not know.

use std::collections::BTreeMap;
use std::sync::Arc;

use agentcore::axum::body::Bytes;
use agentcore::axum::extract::DefaultBodyLimit;
use agentcore::axum::extract::rejection::BytesRejection;
use agentcore::axum::http::header::AUTHORIZATION;
use agentcore::axum::http::{HeaderMap, StatusCode};
use agentcore::axum::middleware::map_response;
use agentcore::axum::routing::post;
use agentcore::axum::{Json, Router};
use agentcore::prelude::*;
use serde_json::Value;
use serde_json::value::RawValue;
use subtle::ConstantTimeEq;

use super::headers;
use crate::names::{ChatUser, room_name};

/// The longest body, in bytes: some lines for people, no files.
const MAX_BODY: usize = 64 * 1024;

/// The shortest key, in bytes.
const MIN_KEY: usize = 32;

/// Who knows it may publish; a cheap clone.
#[derive(Clone)]
pub(crate) struct PublishKey(Arc<str>);

impl PublishKey {
    /// # Errors
    /// What is wrong with a key that could be guessed, without the key.
    pub(crate) fn new(key: &str) -> Result<Self, String> {
        // Others cannot be written into the header.
        if key.len() < MIN_KEY || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!("{MIN_KEY} or more visible ASCII characters, such as those of `openssl rand -hex 32`"));
        }
        Ok(Self(key.into()))
    }

    /// Whether a request shows this key; how long that takes says nothing of how much of it was right.
    fn is_shown_in(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '));
        // The scheme's name is case-insensitive (RFC 9110 11.1).
        shown.is_some_and(|(scheme, key)| {
            scheme.eq_ignore_ascii_case("bearer") && key.trim().as_bytes().ct_eq(self.0.as_bytes()).into()
        })
    }
}

/// The route for those who have the key; the key is a state of the application.
pub(crate) fn routes() -> Router {
    Router::new()
        .route("/api/publish", post(publish))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(map_response(headers::secure))
}

/// The message is on its way to everybody it is for; nobody may be there to get it.
#[message]
struct HandedOver {
    ok: bool,
}

async fn publish(
    State(key): State<PublishKey>,
    State(manager): State<ConnectionManager>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<HandedOver>)> {
    if !key.is_shown_in(&headers) {
        return Err(Error::authentication("`Authorization: Bearer <key>` must have the key of CHAT_PUBLISH_KEY"));
    }
    let body = body.map_err(|refused| Error::validation(refused.body_text()).with_status(refused.status()))?;
    let Publication { to, message_type, data } = Publication::read(&body)?;
    let to = match to {
        Audience::Group(room) => manager.group(room),
        Audience::User(user) => manager.user(user),
        Audience::Everyone => manager.everyone(),
    };
    to.send_raw(&message_type, &data).await?;
    Ok((StatusCode::ACCEPTED, Json(HandedOver { ok: true })))
}

/// A body that can be sent, as far as the chat's rules go; those for types are the framework's.
struct Publication {
    to: Audience,
    message_type: String,
    data: Box<RawValue>,
}

enum Audience {
    Group(String),
    User(UserId),
    Everyone,
}

impl Publication {
    fn read(body: &[u8]) -> Result<Self> {
        // The data are passed on as they are: a number that no type of this program holds stays what it is.
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
            return Err(Error::invalid_field(
                other,
                "unknown",
                "is no field of this: they are `to`, `type` and `data`",
            ));
        }
        let message_type = serde_json::from_str(message_type.get());
        let message_type = message_type.map_err(|_other| Error::invalid_field("type", "type", "must be a text"))?;
        Ok(Self { to: Audience::read(to.get())?, message_type, data })
    }
}

impl Audience {
    fn read(to: &str) -> Result<Self> {
        let form = || {
            let forms = r#"must be {"group": "lobby"}, {"user": "alice"} or "everyone""#;
            Error::invalid_field("to", "form", forms)
        };
        let to: Value = serde_json::from_str(to).map_err(|_too_deep| form())?;
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
            _ => Err(form()),
        }
    }
}
