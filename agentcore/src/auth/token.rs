//! Finds the token of a request.

use std::borrow::Cow;

use axum::http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::header_list::elements;

/// The prefix of a subprotocol that carries a token. Such a subprotocol is never selected.
pub(crate) const SUBPROTOCOL: &str = "agentcore.token.";

/// Returns the token of a request: from the subprotocol `agentcore.token.<token>`, else from `Authorization: Bearer
/// <token>`, else from `?token=<token>` in the query.
///
/// A browser's WebSocket can set only the subprotocol and the query. Prefer the subprotocol: proxies often log queries,
/// although this crate never does. An empty token counts as missing.
#[must_use]
pub fn token(request: &Parts) -> Option<Cow<'_, str>> {
    let found = from_subprotocol(request).or_else(|| from_authorization(request)).map(Cow::Borrowed);
    found.or_else(|| from_query(request)).filter(|token| !token.is_empty())
}

fn from_subprotocol(request: &Parts) -> Option<&str> {
    let mut offers = elements(&request.headers, SEC_WEBSOCKET_PROTOCOL);
    offers.find_map(|offered| str::from_utf8(offered).ok()?.strip_prefix(SUBPROTOCOL))
}

fn from_authorization(request: &Parts) -> Option<&str> {
    let (scheme, token) = request.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    // The name of the scheme is case-insensitive (RFC 9110 11.1).
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn from_query(request: &Parts) -> Option<Cow<'_, str>> {
    // Only percent-encoding is undone, so that a token is the same text here as in a header. A form would read `+` as a
    // space.
    let token = request.uri.query()?.split('&').find_map(|pair| pair.strip_prefix("token="))?;
    percent_decode_str(token).decode_utf8().ok()
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test stops where it fails")]
mod tests {
    use axum::http::Request;

    use super::token;

    fn found(uri: &str, headers: &[(&str, &str)]) -> Option<String> {
        let request = headers.iter().fold(Request::get(uri), |request, (name, value)| request.header(*name, *value));
        let (parts, ()) = request.body(()).expect("a valid request").into_parts();
        token(&parts).map(|token| token.into_owned())
    }

    #[test]
    fn the_subprotocol_precedes_the_header_and_the_header_precedes_the_query() {
        let protocol = ("sec-websocket-protocol", "agentcore.v1.json, agentcore.token.a.b-c_d");
        let bearer = ("authorization", "bearer  from-header");
        for encoded in ["q%2B1", "q+1"] {
            assert_eq!(found(&format!("/ws?token={encoded}"), &[]).as_deref(), Some("q+1"));
        }
        assert_eq!(found("/ws?a=b&token=q", &[bearer]).as_deref(), Some("from-header"));
        assert_eq!(found("/ws?token=q", &[bearer, protocol]).as_deref(), Some("a.b-c_d"));
        for missing in [
            found("/ws", &[]),
            found("/ws?token=", &[]),
            found("/ws?tokens=x", &[]),
            found("/ws?token=%ff", &[]),
            found("/ws", &[("authorization", "Basic YTpi")]),
            found("/ws", &[("authorization", "Bearer")]),
            found("/ws", &[("sec-websocket-protocol", "agentcore.token.")]),
        ] {
            assert_eq!(missing, None);
        }
    }
}
