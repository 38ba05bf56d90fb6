//! The host that a request is for (RFC 9112, section 3.2).

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderValue, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::Error;

/// Refuses a request without exactly one valid host. In a request that goes on, the header `Host` has it.
pub(super) async fn with_host(mut request: Request, next: Next) -> Response {
    match host(&request) {
        Ok(Some(host)) => {
            request.headers_mut().insert(header::HOST, host);
            next.run(request).await
        }
        Ok(None) => next.run(request).await,
        Err(text) => Error::validation(text).with_status(StatusCode::BAD_REQUEST).into_response(),
    }
}

/// Returns the host of a request; `None` for a request of HTTP/1.0 that names none.
///
/// # Errors
/// The text says how the header `Host` is missing or invalid.
fn host(request: &Request) -> Result<Option<HeaderValue>, &'static str> {
    let mut lines = request.headers().get_all(header::HOST).into_iter();
    let line = match (lines.next(), lines.next()) {
        (Some(_), Some(_)) => return Err("the header `Host` must not be repeated"),
        (line, _) => line,
    };
    // The authority of the target replaces the header (RFC 9112, section 3.2.2).
    let host = match request.uri().authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
        None => line.cloned(),
    };
    let Some(host) = host else {
        return match request.version() < Version::HTTP_11 {
            true => Ok(None),
            false => Err("the header `Host` is missing"),
        };
    };
    // An authority may name a user, a host may not.
    match Authority::try_from(host.as_bytes()) {
        Ok(authority) if !authority.as_str().contains('@') && !authority.host().is_empty() => Ok(Some(host)),
        _ => Err("the header `Host` must be a host name or an address, with an optional port"),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops where it fails")]
mod tests {
    use axum::body::Body;

    use super::*;

    fn found(target: &str, version: Version, lines: &[&str]) -> Result<Option<HeaderValue>, &'static str> {
        let request = Request::get(target).version(version);
        let request = lines.iter().fold(request, |request, line| request.header(header::HOST, *line));
        host(&request.body(Body::empty()).unwrap())
    }

    #[test]
    fn the_authority_of_the_target_precedes_the_header() {
        for (target, line, expected) in [
            ("/ws", "a.example", "a.example"),
            ("/ws", "A.example:8000", "A.example:8000"),
            ("/ws", "[::1]:8000", "[::1]:8000"),
            ("/ws", "under_score", "under_score"),
            ("http://b.example/ws", "a.example", "b.example"),
            ("http://b.example:80/ws", "", "b.example:80"),
        ] {
            assert_eq!(found(target, Version::HTTP_11, &[line]).unwrap().unwrap(), expected, "{target} {line}");
        }
    }

    #[test]
    fn a_request_has_exactly_one_valid_host() {
        for lines in [&[][..], &[""], &["a b"], &["user@a"], &["a/b"], &["a:b:c"], &[":80"], &["a", "a"]] {
            let refusal = found("/ws", Version::HTTP_11, lines);
            assert!(refusal.as_ref().is_err_and(|text| text.contains("`Host`")), "{lines:?}: {refusal:?}");
        }
        assert!(found("http://user@a/ws", Version::HTTP_11, &["a"]).is_err());
        assert_eq!(found("/ws", Version::HTTP_10, &[]), Ok(None));
        assert!(found("/ws", Version::HTTP_10, &["a", "b"]).is_err());
    }
}
