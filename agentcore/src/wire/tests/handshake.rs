use axum::body::Body;
use axum::http::{Request, StatusCode, Version, header};

use crate::wire::handshake::{AcceptedHandshake, HandshakeRefusal};

/// The subprotocols of the server under test, with the preferred one first.
const KNOWN: [&str; 2] = ["agentcore.v1.json", "agentcore.v1.msgpack"];

fn accept(request: &Request<Body>) -> Result<AcceptedHandshake, HandshakeRefusal> {
    crate::wire::accept(request, &KNOWN)
}

/// The request of RFC 6455 1.3, with these headers replaced.
fn request(headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder()
        .uri("/chat")
        .version(Version::HTTP_11)
        .header(header::HOST, "server.example.com")
        .header(header::UPGRADE, "websocket")
        .header(header::CONNECTION, "Upgrade")
        .header(header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .body(Body::empty())
        .unwrap();
    for (name, value) in headers {
        let name: axum::http::HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    request
}

#[test]
fn the_example_of_the_rfc_is_accepted() {
    let accepted = accept(&request(&[])).unwrap();
    let headers = accepted.response.headers();
    assert_eq!(accepted.response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(headers[header::SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert!(!headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL));
    assert_eq!(accepted.subprotocol, None);
}

#[test]
fn the_first_known_subprotocol_is_selected() {
    for offered in ["agentcore.v1.json", "graphql-ws, agentcore.v1.json", "agentcore.token.abc ,agentcore.v1.json"] {
        let accepted = accept(&request(&[("sec-websocket-protocol", offered)])).unwrap();
        assert_eq!(accepted.response.headers()[header::SEC_WEBSOCKET_PROTOCOL], "agentcore.v1.json", "{offered}");
        assert_eq!(accepted.subprotocol, Some("agentcore.v1.json"));
    }
    let accepted = accept(&request(&[("sec-websocket-protocol", "agentcore.v1.msgpack, agentcore.v1.json")])).unwrap();
    assert_eq!(accepted.response.headers()[header::SEC_WEBSOCKET_PROTOCOL], "agentcore.v1.msgpack");
    assert_eq!(accepted.subprotocol, Some("agentcore.v1.msgpack"));
    for offered in ["graphql-ws", "agentcore.token.abc", "agentcore.v9.json", "AGENTCORE.V1.JSON"] {
        let refusal = accept(&request(&[("sec-websocket-protocol", offered)])).unwrap_err();
        assert_eq!(refusal.status, StatusCode::BAD_REQUEST, "{offered}");
    }
}

#[test]
fn requests_that_are_not_a_handshake_are_refused() {
    for (name, value, status) in [
        ("upgrade", "h2c", StatusCode::UPGRADE_REQUIRED),
        ("connection", "keep-alive", StatusCode::UPGRADE_REQUIRED),
        ("sec-websocket-version", "8", StatusCode::UPGRADE_REQUIRED),
        ("sec-websocket-key", "", StatusCode::BAD_REQUEST),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ", StatusCode::BAD_REQUEST),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ= ", StatusCode::BAD_REQUEST),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25j*Q==", StatusCode::BAD_REQUEST),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQdGhlIHNhbXBsZSBub25jZQ==", StatusCode::BAD_REQUEST),
    ] {
        let refusal = accept(&request(&[(name, value)])).unwrap_err();
        assert_eq!(refusal.status, status, "{name}: {value:?}");
        assert!(!refusal.message.is_empty());
    }
    let mut post = request(&[]);
    *post.method_mut() = axum::http::Method::POST;
    assert_eq!(accept(&post).unwrap_err().status, StatusCode::METHOD_NOT_ALLOWED);
    let mut old = request(&[]);
    *old.version_mut() = Version::HTTP_10;
    assert_eq!(accept(&old).unwrap_err().status, StatusCode::BAD_REQUEST);
}

#[test]
fn a_list_or_a_repeated_header_may_hold_the_token() {
    for (name, value) in
        [("connection", "keep-alive, upgrade"), ("connection", "UPGRADE"), ("upgrade", "h2c, WebSocket")]
    {
        assert!(accept(&request(&[(name, value)])).is_ok(), "{name}: {value}");
    }
    let mut repeated = request(&[("connection", "keep-alive")]);
    repeated.headers_mut().append(header::CONNECTION, "Upgrade".parse().unwrap());
    assert!(accept(&repeated).is_ok());
    assert!(accept(&request(&[("connection", "upgraded")])).is_err());
}

#[test]
fn a_request_without_a_required_header_is_refused() {
    for (name, status) in [
        (header::CONNECTION, StatusCode::UPGRADE_REQUIRED),
        (header::UPGRADE, StatusCode::UPGRADE_REQUIRED),
        (header::SEC_WEBSOCKET_VERSION, StatusCode::UPGRADE_REQUIRED),
        (header::SEC_WEBSOCKET_KEY, StatusCode::BAD_REQUEST),
    ] {
        let mut request = request(&[]);
        request.headers_mut().remove(&name);
        assert_eq!(accept(&request).unwrap_err().status, status, "{name}");
    }
}
