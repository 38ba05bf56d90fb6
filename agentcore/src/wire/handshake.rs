//! The opening handshake (RFC 6455 4.2): which requests are upgraded, and with which subprotocol.

use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use data_encoding::BASE64;
use sha1_smol::Sha1;

use crate::header_list::elements;

/// The text that is hashed together with the client's key (RFC 6455 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The headers that may have one line only (RFC 6455 11.3, RFC 9110 11.6.2).
const SINGLE: [&str; 3] = ["Sec-WebSocket-Key", "Sec-WebSocket-Version", "Authorization"];

/// An accepted handshake.
#[derive(Debug)]
pub(crate) struct AcceptedHandshake {
    /// The response with status 101.
    pub(crate) response: Response<Body>,
    /// The subprotocol that the response selects; `None` when the client offered none.
    pub(crate) subprotocol: Option<&'static str>,
}

/// The reason why a request is not upgraded.
#[derive(Debug)]
pub(crate) struct HandshakeRefusal {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

/// Checks an upgrade request (RFC 6455 4.2.1), and selects the first offered subprotocol that is among `known`.
///
/// # Errors
/// The refusal: 405 for another method than GET, 426 for a request that asks for no WebSocket of version 13, 400 for
/// everything else.
pub(crate) fn accept<B: HttpBody>(
    request: &Request<B>,
    known: &[&'static str],
) -> Result<AcceptedHandshake, HandshakeRefusal> {
    let headers = request.headers();
    if request.method() != Method::GET {
        return refuse(StatusCode::METHOD_NOT_ALLOWED, "a WebSocket handshake is a GET request");
    }
    if request.version() < Version::HTTP_11 {
        return refuse(StatusCode::BAD_REQUEST, "a WebSocket handshake needs HTTP/1.1");
    }
    if !has_token(headers, header::CONNECTION, "upgrade") || !has_token(headers, header::UPGRADE, "websocket") {
        let message = "this is a WebSocket endpoint: connect with a WebSocket client";
        return refuse(StatusCode::UPGRADE_REQUIRED, message);
    }
    if !request.body().is_end_stream() {
        let message = "a WebSocket handshake has no body: leave out `Content-Length` and `Transfer-Encoding`";
        return refuse(StatusCode::BAD_REQUEST, message);
    }
    if let Some(name) = SINGLE.iter().find(|name| headers.get_all(**name).into_iter().nth(1).is_some()) {
        return refuse(StatusCode::BAD_REQUEST, format!("`{name}` must not be repeated"));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return refuse(StatusCode::UPGRADE_REQUIRED, "`Sec-WebSocket-Version` must be 13");
    }
    let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes) else {
        return refuse(StatusCode::BAD_REQUEST, "`Sec-WebSocket-Key` is missing");
    };
    let (true, Ok(answer)) = (is_key(key), HeaderValue::try_from(accept_key(key))) else {
        return refuse(StatusCode::BAD_REQUEST, "`Sec-WebSocket-Key` must be 16 bytes in base64");
    };
    let subprotocol = select(headers, known)?;

    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, answer);
    if let Some(selected) = subprotocol {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(selected));
    }
    Ok(AcceptedHandshake { response, subprotocol })
}

fn refuse<T>(status: StatusCode, message: impl Into<String>) -> Result<T, HandshakeRefusal> {
    Err(HandshakeRefusal { status, message: message.into() })
}

/// Whether a header that is a list has the token in any case.
fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    elements(headers, name).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
}

/// Whether the key is 16 bytes in base64 (RFC 6455 4.1): 22 characters and `==`.
fn is_key(key: &[u8]) -> bool {
    key.strip_suffix(b"==").is_some_and(|text| {
        text.len() == 22 && text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
    })
}

/// The value of `Sec-WebSocket-Accept` that answers a key (RFC 6455 4.2.2, item 5.4).
fn accept_key(key: &[u8]) -> String {
    let mut hash = Sha1::from(key);
    hash.update(GUID);
    BASE64.encode(&hash.digest().bytes())
}

/// Selects the first offered subprotocol that is known; `None` when the client offered none.
fn select(headers: &HeaderMap, known: &[&'static str]) -> Result<Option<&'static str>, HandshakeRefusal> {
    let mut offered_any = false;
    for offered in elements(headers, header::SEC_WEBSOCKET_PROTOCOL) {
        offered_any = true;
        if let Some(selected) = known.iter().copied().find(|known| known.as_bytes() == offered) {
            return Ok(Some(selected));
        }
    }
    if !offered_any {
        return Ok(None);
    }
    let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    let message = format!("none of the offered subprotocols is supported; the server supports {}", known.join(" and "));
    refuse(StatusCode::BAD_REQUEST, message)
}
