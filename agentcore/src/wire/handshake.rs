//! The opening handshake (RFC 6455 4.2): which requests are upgraded, and with which subprotocol.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use tungstenite::error::{Error as HandshakeError, ProtocolError};
use tungstenite::handshake::server::create_response_with_body;

/// Why a request is not upgraded.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

/// An accepted handshake.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// The 101 response.
    pub(crate) response: Response<Body>,
    /// The subprotocol that the response selects; `None` when the client offered none.
    pub(crate) subprotocol: Option<&'static str>,
}

/// Checks an upgrade request, and selects the first offered subprotocol that is among `known`.
pub(crate) fn accept<B>(request: &Request<B>, known: &[&'static str]) -> Result<Accepted, Refusal> {
    let mut response = create_response_with_body(request, Body::empty).map_err(|error| refusal(&error))?;
    if !key_is_sound(request.headers()) {
        return Err(Refusal {
            status: StatusCode::BAD_REQUEST,
            message: "`Sec-WebSocket-Key` must be 16 bytes in base64".to_owned(),
        });
    }
    let subprotocol = select(request.headers(), known)?;
    if let Some(selected) = subprotocol {
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(selected));
    }
    Ok(Accepted { response, subprotocol })
}

fn refusal(error: &HandshakeError) -> Refusal {
    let (status, message) = match error {
        HandshakeError::Protocol(ProtocolError::MissingSecWebSocketVersionHeader) => {
            (StatusCode::UPGRADE_REQUIRED, "`Sec-WebSocket-Version` must be 13".to_owned())
        }
        HandshakeError::Protocol(
            ProtocolError::MissingConnectionUpgradeHeader | ProtocolError::MissingUpgradeWebSocketHeader,
        ) => (StatusCode::UPGRADE_REQUIRED, "this is a WebSocket endpoint: connect with a WebSocket client".to_owned()),
        HandshakeError::Protocol(ProtocolError::MissingSecWebSocketKey) => {
            (StatusCode::BAD_REQUEST, "`Sec-WebSocket-Key` is missing".to_owned())
        }
        HandshakeError::Protocol(ProtocolError::WrongHttpMethod) => {
            (StatusCode::METHOD_NOT_ALLOWED, "a WebSocket handshake is a GET request".to_owned())
        }
        HandshakeError::Protocol(ProtocolError::WrongHttpVersion) => {
            (StatusCode::BAD_REQUEST, "a WebSocket handshake needs HTTP/1.1".to_owned())
        }
        _ => (StatusCode::BAD_REQUEST, "the WebSocket handshake is malformed".to_owned()),
    };
    Refusal { status, message }
}

/// The key is 16 random bytes in base64 (RFC 6455 4.1): 22 characters and `==`.
fn key_is_sound(headers: &HeaderMap) -> bool {
    let key = headers.get(header::SEC_WEBSOCKET_KEY).map_or(&[][..], HeaderValue::as_bytes);
    key.strip_suffix(b"==").is_some_and(|text| {
        text.len() == 22 && text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
    })
}

/// Selects the first offered subprotocol that is known; `None` when the client offered none.
fn select(headers: &HeaderMap, known: &[&'static str]) -> Result<Option<&'static str>, Refusal> {
    let mut offered_any = false;
    for value in headers.get_all(header::SEC_WEBSOCKET_PROTOCOL) {
        for offered in value.to_str().unwrap_or_default().split(',') {
            offered_any = true;
            if let Some(selected) = known.iter().copied().find(|known| *known == offered.trim()) {
                return Ok(Some(selected));
            }
        }
    }
    if !offered_any {
        return Ok(None);
    }
    let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    Err(Refusal {
        status: StatusCode::BAD_REQUEST,
        message: format!("none of the offered subprotocols is supported; the server supports {}", known.join(" and ")),
    })
}
