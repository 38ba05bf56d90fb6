//! `Logging`: one event per message, one line per event, and no message data.

use agentcore::middleware::{Chain, Level, Logging, Middleware};
use agentcore::prelude::*;
use serde_json::json;
use tests::log::Log;
use tests::room::Journal;
use tests::server::{Server, settings};
use tests::wait::until_equal;

use crate::{Mirror, app, connect};

/// Starts a server on the thread of its test, whose log can be captured.
async fn serve(middleware: impl Middleware) -> Server {
    let mut settings = settings();
    settings.workers = 0;
    let app = AgentCore::new(settings).state(Journal::default()).consumer::<Mirror>().middleware(middleware);
    Server::start(app).await
}

const TARGET: &str = "agentcore::messages";

#[tokio::test]
async fn a_message_is_one_event_without_its_data() {
    let (log, _guard) = Log::capture(Level::INFO);
    let server = serve(Chain::new() >> Logging::default()).await;
    let mut ada = connect(&server, "ada").await;
    let text = r#"{"type":"echo","ref":77,"data":{"text":"a secret"}}"#;
    ada.text(text).await;
    ada.next().await;
    ada.settle().await;
    let lines = log.lines_with(TARGET);
    assert_eq!(lines.len(), 1, "pings are no messages: {lines:?}");
    let bytes = format!("bytes={}", text.len());
    for part in [
        "INFO",
        "message_type=\"echo\"",
        "user=ada",
        "reference=77",
        &bytes,
        "outcome=\"ok\"",
        "duration_us=",
        "connection=",
    ] {
        assert!(lines[0].contains(part), "{part} is not in {}", lines[0]);
    }
    assert!(!lines[0].contains("secret") && !lines[0].contains("code="), "{}", lines[0]);
}

#[tokio::test]
async fn the_log_outcome_says_how_the_handler_ended() {
    let (log, _guard) = Log::capture(Level::INFO);
    let server = serve(Logging::default()).await;
    for (kind, data, expected) in [
        ("refuse", json!({}), "outcome=\"refused\" code=\"FORBIDDEN\""),
        ("no_such", json!({}), "outcome=\"refused\" code=\"UNKNOWN_MESSAGE_TYPE\""),
        ("echo", json!({ "text": 7 }), "outcome=\"refused\" code=\"VALIDATION_FAILED\""),
        ("fail", json!({}), "outcome=\"failed\" code=\"INTERNAL_ERROR\""),
        ("hang_safely", json!({}), "outcome=\"dropped\""),
        ("panic", json!({}), "outcome=\"panicked\""),
    ] {
        let mut ada = connect(&server, "ada").await;
        ada.ask(kind, data).await;
        until_equal(kind, 1, async || log.lines_with(&format!("message_type=\"{kind}\"")).len()).await;
        let line = log.lines_with(TARGET).pop().expect("a line");
        assert!(line.contains(expected), "{expected} is not in {line}");
    }
}

#[tokio::test]
async fn text_from_a_client_cannot_break_a_log_line() {
    let (log, _guard) = Log::capture(Level::INFO);
    let server = serve(Logging::default()).await;
    let mut ada = connect(&server, "a%E2%80%AEb").await;
    ada.text(r#"{"type":"a\u001b[31m\nINFO b\u2028c","ref":1}"#).await;
    ada.next().await;
    let lines = log.lines_with(TARGET);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(!lines[0].contains(['\u{1b}', '\u{2028}', '\u{202e}']), "{}", lines[0]);
    assert_eq!(log.lines_with("INFO b").len(), 1);
    assert!(log.lines_with("INFO b")[0].contains(TARGET), "no line of its own");
}

#[tokio::test]
async fn the_level_and_the_sample_rate_are_configurable() {
    let (log, _guard) = Log::capture(Level::INFO);
    let server = serve(Logging::default().level(Level::DEBUG)).await;
    connect(&server, "ada").await.ask("echo", json!({})).await;
    assert_eq!(log.lines_with(TARGET).len(), 0, "below the level of the log");

    let server = serve(Logging::default().level(Level::WARN).one_in(10)).await;
    let mut ada = connect(&server, "ada").await;
    for _ in 0..500 {
        ada.ask("echo", json!({})).await;
    }
    let lines = log.lines_with(TARGET).len();
    assert!((20..=100).contains(&lines), "{lines} of 500 are about one in ten");
    for _ in 0..5 {
        ada.ask("refuse", json!({})).await;
    }
    assert_eq!(log.lines_with("refused").len(), 5, "failures are always there");
    assert!(log.lines_with(TARGET).iter().all(|line| line.contains("WARN")));
}

#[tokio::test]
async fn a_sample_of_zero_is_an_error_at_start() {
    let error = app(Journal::default()).middleware(Logging::default().one_in(0)).build().await.expect_err("no sense");
    assert!(error.message().contains("it must be at least 1"), "{error}");
}
