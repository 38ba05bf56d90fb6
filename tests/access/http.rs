//! HTTP limits that apply before anything is known of a client.

use tests::raw::handshake;
use tests::server::Server;

use crate::*;

async fn answer_to(server: &Server, request: &str) -> u16 {
    Raw::handshake(server, request.as_bytes()).await.1.status
}

#[tokio::test]
async fn a_long_target_and_many_or_large_headers_are_refused() {
    let server = Server::start(open(settings()).0).await;
    let with = |headers: &str| format!("{}{headers}\r\n", handshake("/ws").trim_end().to_owned() + "\r\n");
    assert_eq!(answer_to(&server, &handshake(&format!("/ws?token={}", "x".repeat(8_000)))).await, 101);
    assert_eq!(answer_to(&server, &handshake(&format!("/ws?token={}", "x".repeat(9_000)))).await, 414);
    assert_eq!(answer_to(&server, &handshake(&format!("/{}", "x".repeat(9_000)))).await, 414);
    assert_eq!(answer_to(&server, &with(&format!("X-A: {}\r\n", "x".repeat(50_000)))).await, 101);
    assert_eq!(answer_to(&server, &with(&format!("X-A: {}\r\n", "x".repeat(200_000)))).await, 431);
    let many: String = (0..95).map(|number| format!("X-{number}: x\r\n")).collect();
    assert_eq!(answer_to(&server, &with(&many)).await, 101);
    let many: String = (0..101).map(|number| format!("X-{number}: x\r\n")).collect();
    assert_eq!(answer_to(&server, &with(&many)).await, 431);
}

#[tokio::test]
async fn an_extractors_rejection_is_a_structured_error() {
    use agentcore::axum::Router;
    use agentcore::axum::routing::{get, post};
    use agentcore::extract::{Json, Path, Query};
    let routes = Router::new()
        .route("/path/{number}", get(async |Path(number): Path<u32>| number.to_string()))
        .route("/query", get(async |Query(pairs): Query<Vec<(String, u32)>>| format!("{pairs:?}")))
        .route("/json", post(async |Json(number): Json<u32>| number.to_string()))
        .route("/fault", get(async |Path(number): Path<u32>| number.to_string()));
    let server = Server::start(open(settings()).0.routes(routes)).await;
    for (method, target, kind, body, status) in [
        ("GET", "/path/7", "", "", 200),
        ("GET", "/path/seven", "", "", 400),
        ("GET", "/query?a=1", "", "", 200),
        ("GET", "/query?a=one", "", "", 400),
        ("POST", "/json", "application/json", "7", 200),
        ("POST", "/json", "application/json", "seven", 400),
        ("POST", "/json", "application/json", "[7]", 422),
        ("POST", "/json", "text/plain", "7", 415),
        ("GET", "/fault", "", "", 500),
    ] {
        let length = body.len();
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let answer = Raw::handshake(&server, request.as_bytes()).await.1;
        assert_eq!(answer.status, status, "{target} {body}: {answer:?}");
        if status != 200 {
            let code = if status == 500 { "INTERNAL_ERROR" } else { "VALIDATION_FAILED" };
            assert_eq!(answer.json()["error"]["code"], code, "{answer:?}");
        }
    }
}

#[tokio::test]
async fn an_error_has_the_status_it_was_given() {
    use agentcore::axum::http::StatusCode;
    use agentcore::axum::response::IntoResponse;
    use agentcore::error::ErrorCategory::{Authentication, Authorization, Backend, Connection, Message, RateLimit};
    use agentcore::error::ErrorCategory::{System, Timeout, Validation};
    for (category, status) in [
        (Authentication, 401),
        (Authorization, 403),
        (Validation, 400),
        (Message, 400),
        (RateLimit, 429),
        (Connection, 503),
        (Backend, 503),
        (Timeout, 504),
        (System, 500),
    ] {
        let error = Error::new(category, "A_CODE", "a text");
        assert_eq!(error.status().as_u16(), status, "{category:?}");
        assert_eq!(error.into_response().status().as_u16(), status, "{category:?}");
        let error = Error::new(category, "A_CODE", "a text").with_status(StatusCode::NOT_FOUND);
        assert_eq!(error.into_response().status(), StatusCode::NOT_FOUND);
    }
}

/// A router of the application around this one may use the name of a parameter of the consumer's path.
#[tokio::test]
async fn the_consumers_own_path_parameter_decides_who_a_client_is() {
    let server = Inside::of(open(embedded()).0).await.nested("/t/{user_id}");
    let mut client = connect(&server, "/t/mallory/as/alice").await;
    assert_eq!(who(&mut client).await["user"], "alice");
}
