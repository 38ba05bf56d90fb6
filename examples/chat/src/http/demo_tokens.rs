//! Tokens for everybody: for trying out how a chat with tokens works, and for nothing else.

use std::collections::HashMap;

use agentcore::axum::extract::Query;
use agentcore::axum::http::header::{CACHE_CONTROL, HeaderValue};
use agentcore::axum::middleware::map_response;
use agentcore::axum::response::Response;
use agentcore::axum::routing::get;
use agentcore::axum::{Json, Router};
use agentcore::error::ErrorDetail;
use agentcore::prelude::*;

use super::headers;
use crate::auth::{LIFETIME, Tokens};
use crate::names::ChatUser;

/// The route that hands out tokens.
pub(crate) fn routes() -> Router {
    Router::new().route("/api/token", get(token)).layer(map_response(unkept)).layer(map_response(headers::secure))
}

/// Who one is from now on.
#[message]
struct Issued {
    token: String,
    user_id: UserId,
    expires_at: Timestamp,
}

async fn token(State(tokens): State<Tokens>, Query(query): Query<HashMap<String, String>>) -> Result<Json<Issued>> {
    let user: ChatUser = query.get("user_id").map_or("", String::as_str).parse().map_err(|rule: &str| {
        let details =
            vec![ErrorDetail { field: "user_id".to_owned(), rule: "user_id".into(), message: rule.to_owned() }];
        Error::validation(format!("`user_id` {rule}")).with_details(details)
    })?;
    let user_id = user.id().clone();
    Ok(Json(Issued { token: tokens.issue(&user_id)?, user_id, expires_at: Timestamp::now().after(LIFETIME) }))
}

/// A token is nothing for a cache.
async fn unkept(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
