//! `GET /api/token`: issues a token for any user to anyone, to try out a chat that requires tokens.

use std::collections::HashMap;

use agentcore::axum::extract::Query;
use agentcore::axum::http::header::{CACHE_CONTROL, HeaderValue};
use agentcore::axum::middleware::map_response;
use agentcore::axum::response::Response;
use agentcore::axum::routing::get;
use agentcore::axum::{Json, Router};
use agentcore::prelude::*;

use super::headers;
use crate::auth::{TOKEN_LIFETIME, Tokens};
use crate::names::ChatUser;

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/api/token", get(token))
        .layer(map_response(forbid_caching))
        .layer(map_response(headers::add_security_headers))
}

#[message]
struct IssuedToken {
    token: String,
    user_id: UserId,
    expires_at: Timestamp,
}

async fn token(
    State(tokens): State<Tokens>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<IssuedToken>> {
    let user: ChatUser = query
        .get("user_id")
        .map_or("", String::as_str)
        .parse()
        .map_err(|rule: &str| Error::invalid_field("user_id", "user_id", rule))?;
    let user_id = user.id().clone();
    let expires_at = Timestamp::now().after(TOKEN_LIFETIME);
    Ok(Json(IssuedToken { token: tokens.issue(&user_id)?, user_id, expires_at }))
}

async fn forbid_caching(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
