//! Pages: which ones may connect, and which may call the application's routes.

use agentcore::axum::Router;
use agentcore::axum::routing::get;

use crate::*;

async fn with_origins(list: &str) -> (Inside, Journal) {
    let mut settings = embedded();
    settings.allowed_origins = list.parse().expect("a list");
    let (app, journal) = open(settings);
    (Inside::of(app.routes(Router::new().route("/rest", get(async || "hello")))).await, journal)
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused_with_403_before_the_upgrade() {
    let (server, journal) = with_origins("").await;
    for (host, origin) in [
        ("chat.example.com", "https://evil.com"),
        ("chat.example.com", "https://example.com"),
        ("chat.example.com", "https://chat.example.com:8443"),
        ("chat.example.com", "https://chat.example.com.evil.com"),
        ("chat.example.com", "null"),
        ("chat.example.com", ""),
        ("localhost:8000", "http://localhost:3000"),
    ] {
        let (status, error) = refusal(&server, "/as/ada", &[("Host", host), ("Origin", origin)]).await;
        assert_eq!((status, error["code"].as_str()), (403, Some("FORBIDDEN")), "{origin} on {host}");
        assert!(error["message"].as_str().is_some_and(|text| text.contains("ALLOWED_ORIGINS")), "{error}");
    }
    let two = [("Host", "localhost"), ("Origin", "http://localhost"), ("Origin", "https://evil.com")];
    assert_eq!(refusal(&server, "/ws", &two).await.0, 403, "two origins are none");
    nothing_happened(&server, &journal).await;
    for (host, origin) in
        [("localhost:8000", "http://localhost:8000"), ("chat.example.com", "https://chat.example.com")]
    {
        assert_eq!(shake(&server, "/ws", &[("Host", host), ("Origin", origin)]).await.1.status, 101);
    }
    assert_eq!(shake(&server, "/ws", &[]).await.1.status, 101, "a client that is no browser says no origin");
}

/// RFC 9112, section 3.2.2.
#[tokio::test]
async fn the_authority_of_the_request_target_is_the_host() {
    let (server, _) = with_origins("").await;
    let target = "http://a.example/ws";
    for (host, origin, status) in [
        ("b.example", "http://a.example", 101),
        ("b.example", "http://b.example", 403),
        ("a.example", "http://a.example", 101),
    ] {
        let answer = shake(&server, target, &[("Host", host), ("Origin", origin)]).await.1;
        assert_eq!(answer.status, status, "{origin} at {target} with the host {host}");
    }
}

#[tokio::test]
async fn allowed_origins_are_those_that_are_listed() {
    let (server, _) = with_origins("https://app.example.com, http://localhost:3000").await;
    for (origin, status) in [
        ("https://app.example.com", 101),
        ("http://localhost:3000", 101),
        ("http://app.example.com", 403),
        ("https://other.example.com", 403),
        // Its own origin is not listed.
        ("http://localhost", 403),
        ("null", 403),
    ] {
        assert_eq!(shake(&server, "/ws", &[("Origin", origin)]).await.1.status, status, "{origin}");
    }
    let (server, _) = with_origins("*").await;
    for origin in ["https://evil.com", "null"] {
        assert_eq!(shake(&server, "/ws", &[("Origin", origin)]).await.1.status, 101, "{origin}");
    }
}

#[tokio::test]
async fn a_refused_origin_is_logged_and_a_flood_of_them_is_not() {
    let (log, _guard) = tests::log::Log::capture(tracing::Level::INFO);
    let (server, _) = with_origins("").await;
    for number in 0..50 {
        let origin = format!("https://evil{number}.com");
        assert_eq!(refusal(&server, "/ws?token=secret-1", &[("Origin", &origin)]).await.0, 403);
    }
    let lines = log.lines_with("origin_rejected");
    assert!((1..10).contains(&lines.len()), "{lines:?}");
    assert!(lines[0].contains("https://evil0.com") && lines[0].contains("WARN"), "{lines:?}");
    assert_eq!(log.lines_with("secret-1"), [""; 0], "a token in the query is in no line");
}

#[tokio::test]
async fn a_refused_origin_is_one_short_line_that_names_the_setting() {
    let (log, _guard) = tests::log::Log::capture(tracing::Level::INFO);
    let (server, _) = with_origins("").await;
    let (long, host) = (format!("https://{}.com", "x".repeat(30_000)), "y".repeat(20_000));
    assert_eq!(refusal(&server, "/ws", &[("Host", &host), ("Origin", &long)]).await.0, 403);
    let lines = log.lines_with("origin_rejected");
    assert!(matches!(&*lines, [line] if line.len() < 1000 && line.contains("ALLOWED_ORIGINS")), "{lines:?}");
}

/// The CORS headers of the application's routes.
async fn cors(server: &Inside, method: &str, origin: &str) -> tests::http::Answer {
    let mut raw = Raw::over(server.reach(Some(PEER)));
    let request = format!(
        "{method} /rest HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: PUT\r\n\
         Access-Control-Request-Headers: x-mine\r\n\r\n"
    );
    raw.answer(request.as_bytes()).await
}

#[tokio::test]
async fn the_applications_routes_send_cors_headers_to_listed_origins() {
    let (server, _) = with_origins("https://app.example.com").await;
    let answer = cors(&server, "GET", "https://app.example.com").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("https://app.example.com")));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert_eq!(cors(&server, "GET", "https://evil.com").await.header("access-control-allow-origin"), None);
    let answer = cors(&server, "OPTIONS", "https://app.example.com").await;
    assert_eq!(answer.header("access-control-allow-methods"), Some("PUT"), "{answer:?}");
    assert_eq!(answer.header("access-control-allow-headers"), Some("x-mine"));

    let (server, _) = with_origins("*").await;
    assert_eq!(cors(&server, "GET", "https://any.com").await.header("access-control-allow-origin"), Some("*"));
    let (server, _) = with_origins("").await;
    assert_eq!(cors(&server, "GET", "http://localhost").await.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn credentials_go_with_listed_origins_and_never_with_any() {
    let mut settings = embedded();
    settings.allowed_origins = "https://app.example.com".parse().expect("a list");
    let routes = Router::new().route("/rest", get(async || "hello"));
    let server = Inside::of(open(settings.clone()).0.allow_credentials().routes(routes)).await;
    let answer = cors(&server, "GET", "https://app.example.com").await;
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));

    settings.allowed_origins = "*".parse().expect("a list");
    let error = open(settings).0.allow_credentials().build().await.expect_err("it must not start");
    assert_eq!(error.code(), "CANNOT_START");
    assert!(error.message().contains("ALLOWED_ORIGINS=*") && error.message().contains("allow_credentials"), "{error}");
}
