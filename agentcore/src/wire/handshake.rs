//! The opening handshake (RFC 6455 4.2): which requests are upgraded, and with which subprotocol.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use tungstenite::error::{Error as HandshakeError, ProtocolError};
use tungstenite::handshake::server::create_response_with_body;

/// The format that one connection speaks; its client chooses it by a subprotocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Codec {
    /// `agentcore.v1.json`, in text frames; also what a client speaks that offers no subprotocol.
    #[default]
    Json,
    /// `agentcore.v1.msgpack`, in binary frames.
    MessagePack,
}

impl Codec {
    /// The subprotocol that chooses it.
    #[must_use]
    pub fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "agentcore.v1.json",
            Self::MessagePack => "agentcore.v1.msgpack",
        }
    }
}

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
    /// The codec that the client chose; `None`: it offered no subprotocol.
    pub(crate) chosen: Option<Codec>,
}

/// Checks an upgrade request.
pub(crate) fn accept<B>(request: &Request<B>) -> Result<Accepted, Refusal> {
    let mut response = create_response_with_body(request, Body::empty).map_err(|error| refusal(&error))?;
    if !key_is_sound(request.headers()) {
        return Err(Refusal {
            status: StatusCode::BAD_REQUEST,
            message: "`Sec-WebSocket-Key` must be 16 bytes in base64".to_owned(),
        });
    }
    let chosen = choose(request.headers())?;
    if let Some(codec) = chosen {
        let subprotocol = HeaderValue::from_static(codec.subprotocol());
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
    }
    Ok(Accepted { response, chosen })
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

/// Chooses among the offered subprotocols the first that is known; `None` when the client offered none.
fn choose(headers: &HeaderMap) -> Result<Option<Codec>, Refusal> {
    const KNOWN: [Codec; 2] = [Codec::Json, Codec::MessagePack];
    let mut offered_any = false;
    for value in headers.get_all(header::SEC_WEBSOCKET_PROTOCOL) {
        for offered in value.to_str().unwrap_or_default().split(',') {
            offered_any = true;
            if let Some(codec) = KNOWN.into_iter().find(|codec| codec.subprotocol() == offered.trim()) {
                return Ok(Some(codec));
            }
        }
    }
    if offered_any {
        return Err(Refusal {
            status: StatusCode::BAD_REQUEST,
            message: format!(
                "none of the offered subprotocols is known here; known are {}",
                KNOWN.map(|codec| format!("`{}`", codec.subprotocol())).join(" and ")
            ),
        });
    }
    Ok(None)
}
