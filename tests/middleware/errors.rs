//! Errors: what the client gets, what is logged, and when a connection has caused too many.

use agentcore::error::{ErrorCategory, ErrorResponse, Severity};
use agentcore::prelude::*;
use serde_json::{Value, json};
use tests::log::Log;
use tests::room::Journal;
use tests::server::{Server, settings};
use tracing::Level;

use crate::{Mirror, app, connect};

/// Starts a server on the thread of its test, whose log can be captured.
async fn serve() -> Server {
    let mut settings = settings();
    settings.workers = 0;
    Server::start(AgentCore::new(settings).state(Journal::default()).consumer::<Mirror>()).await
}

#[test]
fn every_kind_of_error_has_a_severity_a_retry_hint_and_a_close_code() {
    use ErrorCategory as Kind;
    use Severity::{High, Low, Medium};
    let soon = std::time::Duration::from_secs(1);
    for (error, code, kind, severity, retryable, closes, status) in [
        (Error::authentication("x"), "UNAUTHENTICATED", Kind::Authentication, Medium, false, true, 401),
        (Error::authorization("x"), "FORBIDDEN", Kind::Authorization, Low, false, false, 403),
        (Error::validation("x"), "VALIDATION_FAILED", Kind::Validation, Low, false, false, 400),
        (Error::invalid_field("a", "range", "x"), "VALIDATION_FAILED", Kind::Validation, Low, false, false, 400),
        (Error::rate_limit(soon), "RATE_LIMIT_EXCEEDED", Kind::RateLimit, Low, true, false, 429),
        (Error::limit("x"), "LIMIT_EXCEEDED", Kind::Connection, Medium, true, false, 503),
        (Error::connection("x"), "CONNECTION_ERROR", Kind::Connection, Medium, true, false, 503),
        (Error::message_error("x"), "MESSAGE_ERROR", Kind::Message, Medium, false, false, 400),
        (Error::backend("x"), "BACKEND_UNAVAILABLE", Kind::Backend, High, true, false, 503),
        (Error::system("x"), "INTERNAL_ERROR", Kind::System, High, false, false, 500),
        (Error::internal("x"), "INTERNAL_ERROR", Kind::System, High, false, false, 500),
        (Error::timeout("x"), "TIMEOUT", Kind::Timeout, High, true, false, 504),
    ] {
        assert_eq!((error.code(), error.category(), error.severity()), (code, kind, severity));
        assert_eq!((error.is_retryable(), error.should_disconnect()), (retryable, closes), "{code}");
        assert_eq!(error.status().as_u16(), status, "{code}");
    }
    assert_eq!(u16::from(Error::authentication("x").ws_code()), 4401);
}

#[tokio::test]
async fn the_sixty_first_error_of_a_client_closes_with_1008() {
    let server = Server::start(app(Journal::default())).await;
    // All kinds that a client causes: invalid JSON, invalid envelope, unknown type, invalid payload, refusal.
    let mistakes = [
        "no JSON",
        r#"{"data":{}}"#,
        r#"{"type":"no_such"}"#,
        r#"{"type":"echo","data":{"text":7}}"#,
        r#"{"type":"refuse"}"#,
    ];
    let mut ada = connect(&server, "ada").await;
    for number in 0..60 {
        ada.text(mistakes[number % mistakes.len()]).await;
        assert_eq!(ada.next().await["type"], "error");
    }
    assert_eq!(ada.settle().await, Vec::<Value>::new(), "sixty are borne");
    ada.text(mistakes[0]).await;
    let (before, closed) = ada.closed().await;
    assert_eq!(before.len(), 1, "the last one is told too: {before:?}");
    assert_eq!((closed.code, closed.json()["code"].clone()), (Some(1008), json!("TOO_MANY_ERRORS")));
    let mut again = connect(&server, "ada").await;
    assert_eq!(again.ask("echo", json!({ "text": "x" })).await["data"]["text"], "x", "it may come back");
}

#[tokio::test]
async fn server_errors_do_not_count_against_the_client() {
    let server = Server::start(app(Journal::default())).await;
    let mut ada = connect(&server, "ada").await;
    for _ in 0..100 {
        assert_eq!(ada.ask("fail", json!({})).await["data"]["code"], "INTERNAL_ERROR");
    }
    assert_eq!(ada.ask("echo", json!({ "text": "x" })).await["data"]["text"], "x");
}

#[tokio::test]
async fn a_severe_error_is_one_log_line_with_context_and_no_secret_reaches_the_client() {
    let (log, _guard) = Log::capture(Level::INFO);
    let server = serve().await;
    let mut ada = connect(&server, "%C3%A9%E2%80%AEada").await;
    let error = ada.ask("fail", json!({})).await;
    assert!(!error.to_string().contains("secret"), "{error}");
    let id = error["data"]["error_id"].as_str().expect("an id");
    let lines = log.lines_with(id);
    assert_eq!(lines.len(), 1, "{lines:?}");
    for part in [
        "ERROR",
        "code=\"INTERNAL_ERROR\"",
        "category=system",
        "severity=critical",
        "user=é\\u{202e}ada",
        "message_type=fail",
        "component=history",
        "metadata=row=7 file=a\\nb",
        "secret\\ncause",
        "connection=",
    ] {
        assert!(lines[0].contains(part), "{part} is not in {}", lines[0]);
    }
    // A mistake of the client is not logged.
    ada.ask("refuse", json!({})).await;
    assert_eq!(log.lines_with("FORBIDDEN"), Vec::<String>::new());
}

#[tokio::test]
async fn a_context_that_the_application_has_set_is_logged_unchanged() {
    let (log, _guard) = Log::capture(Level::INFO);
    let server = serve().await;
    let mut ada = connect(&server, "ada").await;
    let error = ada.ask("fail_elsewhere", json!({})).await;
    let lines = log.lines_with(error["data"]["error_id"].as_str().expect("an id"));
    assert_eq!(lines.len(), 1, "{lines:?}");
    for part in ["user=bob", "connection=00000000000000ab-7", "message_type=job"] {
        assert!(lines[0].contains(part), "{part} is not in {}", lines[0]);
    }
}

#[tokio::test]
async fn an_error_code_is_logged_at_most_once_a_second_per_connection() {
    let (log, _guard) = Log::capture(Level::INFO);
    let server = serve().await;
    let (mut ada, mut bob) = (connect(&server, "ada").await, connect(&server, "bob").await);
    let started = std::time::Instant::now();
    for _ in 0..50 {
        ada.ask("fail", json!({})).await;
    }
    let seconds = usize::try_from(started.elapsed().as_secs()).expect("not long");
    let lines = log.lines_with("user=ada").len();
    assert!((1..=1 + seconds).contains(&lines), "{lines} lines in {seconds} seconds");
    bob.ask("fail", json!({})).await;
    assert_eq!(log.lines_with("user=bob").len(), 1, "another connection has its own lines");
    tests::wait::until("the next line", async || {
        ada.ask("fail", json!({})).await;
        log.lines_with("user=ada").iter().any(|line| line.contains("suppressed="))
    })
    .await;
}

#[tokio::test]
async fn a_client_with_too_many_errors_is_one_log_line() {
    let (log, _guard) = Log::capture(Level::INFO);
    let server = serve().await;
    // A line separator and a direction mark, which may occur in a user id.
    let mut ada = connect(&server, "%E2%80%A8%E2%80%AEada").await;
    for _ in 0..61 {
        ada.text("no JSON").await;
    }
    assert_eq!(ada.closed().await.1.code, Some(1008));
    let lines = log.lines_with("TOO_MANY_ERRORS");
    assert!(lines.len() == 1 && lines[0].contains("user=\\u{2028}\\u{202e}ada"), "{lines:?}");
}

#[tokio::test]
async fn many_clients_with_too_many_errors_are_one_log_line_a_second() {
    let (log, _guard) = Log::capture(Level::INFO);
    let server = serve().await;
    let started = std::time::Instant::now();
    for number in 0..30 {
        let mut client = connect(&server, &format!("user{number}")).await;
        for _ in 0..61 {
            client.text("no JSON").await;
        }
        assert_eq!(client.closed().await.1.code, Some(1008));
    }
    let seconds = usize::try_from(started.elapsed().as_secs()).expect("not long");
    let lines = log.lines_with("TOO_MANY_ERRORS").len();
    assert!((1..=1 + seconds).contains(&lines), "{lines} lines in {seconds} seconds");
}

#[tokio::test]
async fn many_clients_whose_handlers_fail_share_a_bound_of_log_lines() {
    let (log, _guard) = Log::capture(Level::INFO);
    let server = serve().await;
    let started = std::time::Instant::now();
    for number in 0..100 {
        connect(&server, &format!("user{number}")).await.ask("fail", json!({})).await;
    }
    let seconds = usize::try_from(started.elapsed().as_secs()).expect("not long");
    let lines = log.lines_with("message_type=fail").len();
    assert!((1..=20 * (1 + seconds)).contains(&lines), "{lines} lines in {seconds} seconds");
}

#[tokio::test]
async fn a_client_in_rust_reads_an_error() {
    let server = Server::start(app(Journal::default())).await;
    let mut ada = connect(&server, "ada").await;
    let text = "x".repeat(101);
    let answer = ada.ask("echo", json!({ "text": text })).await;
    let error: ErrorResponse<'static> = serde_json::from_value(answer["data"].clone()).expect("an error");
    assert_eq!(
        (&*error.code, error.category, error.severity),
        ("VALIDATION_FAILED", ErrorCategory::Validation, Severity::Low)
    );
    assert_eq!((&*error.details.errors[0].field, &*error.details.errors[0].rule), ("text", "length"));
    assert_eq!(error.message_type.as_deref(), Some("echo"));
    assert_eq!(serde_json::to_value(&error).expect("JSON"), answer["data"], "and writes it as it came");
}
