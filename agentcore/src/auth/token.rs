//! Where a request carries its token.

use std::borrow::Cow;

use axum::http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use axum::http::request::Parts;

/// A subprotocol that carries a token begins so. It is never the one that is chosen.
pub(crate) const SUBPROTOCOL: &str = "agentcore.token.";

/// The token of a request: from the subprotocol `agentcore.token.<token>`, else from `Authorization: Bearer <token>`,
/// else from `?token=<token>` in the query.
///
/// A browser's WebSocket can set the first and the last only. The query is the last choice: proxies write it into
/// their logs; this crate never does. An empty token is none.
#[must_use]
pub fn token(request: &Parts) -> Option<Cow<'_, str>> {
    let found = of_subprotocol(request).or_else(|| of_authorization(request)).map(Cow::Borrowed);
    found.or_else(|| of_query(request)).filter(|token| !token.is_empty())
}

fn of_subprotocol(request: &Parts) -> Option<&str> {
    let offers = request.headers.get_all(SEC_WEBSOCKET_PROTOCOL).into_iter();
    offers
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|offered| offered.trim().strip_prefix(SUBPROTOCOL))
}

fn of_authorization(request: &Parts) -> Option<&str> {
    let (scheme, token) = request.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    // The scheme's name is case-insensitive (RFC 9110 11.1).
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn of_query(request: &Parts) -> Option<Cow<'_, str>> {
    let query = request.uri.query()?;
    form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "token").map(|(_, token)| token)
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test stops where it fails")]
mod tests {
    use axum::http::Request;

    use super::token;

    fn found(uri: &str, headers: &[(&str, &str)]) -> Option<String> {
        let request = headers.iter().fold(Request::get(uri), |request, (name, value)| request.header(*name, *value));
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        token(&parts).map(|token| token.into_owned())
    }

    #[test]
    fn a_token_is_found_wherever_it_may_stand_and_the_safest_place_wins() {
        let protocol = ("sec-websocket-protocol", "agentcore.v1.json, agentcore.token.a.b-c_d");
        let bearer = ("authorization", "bearer  from-header");
        assert_eq!(found("/ws?token=q%2B1", &[]).as_deref(), Some("q+1"));
        assert_eq!(found("/ws?a=b&token=q", &[bearer]).as_deref(), Some("from-header"));
        assert_eq!(found("/ws?token=q", &[bearer, protocol]).as_deref(), Some("a.b-c_d"));
        for nothing in [
            found("/ws", &[]),
            found("/ws?token=", &[]),
            found("/ws?tokens=x", &[]),
            found("/ws", &[("authorization", "Basic YTpi")]),
            found("/ws", &[("authorization", "Bearer")]),
            found("/ws", &[("sec-websocket-protocol", "agentcore.token.")]),
        ] {
            assert_eq!(nothing, None);
        }
    }
}
