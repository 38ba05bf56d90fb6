//! Handlers that panic or take too long affect their own connection only.

use serde_json::{Value, json};
use tests::client::Client;
use tests::log::Log;
use tests::room::room;
use tests::server::{Server, settings};
use tests::wait::{until, until_equal};

use crate::{connect, join, nothing_is_left, post, start, texts};

/// Checks the end of a connection whose handler failed.
async fn ends_with_1011(client: &mut Client, code: &str) -> Value {
    let (before, closed) = client.closed().await;
    assert_eq!(closed.code, Some(1011), "{closed:?}");
    let error = before.last().expect("an error message").clone();
    assert_eq!(error["type"], "error");
    assert_eq!(error["data"]["code"], code);
    assert_eq!(closed.json()["code"], code);
    assert_eq!(closed.json()["error_id"], error["data"]["error_id"], "one id in both");
    assert!(closed.reason.len() <= 123);
    error
}

/// The log may be a subscriber of the application.
#[tokio::test]
async fn a_log_that_panics_leaves_no_connection_behind() {
    let mut settings = settings();
    settings.workers = 0;
    let (app, ..) = room(settings);
    let server = Server::start(app).await;
    let mut ada = connect(&server, "ada").await;
    join(&mut ada, "g").await;
    let broken = Log::broken();
    // One error too many closes the connection and logs it; the log panics.
    for _ in 0..61 {
        ada.text("no JSON").await;
    }
    let (_, closed) = ada.closed().await;
    assert_eq!((closed.code, &closed.json()["code"]), (Some(1011), &json!("INTERNAL_ERROR")));
    nothing_is_left(&server).await;
    drop(broken);
    // The handler's error is logged before its connection is closed.
    let mut ada = connect(&server, "ada").await;
    join(&mut ada, "g").await;
    let _broken = Log::broken();
    ada.text(r#"{"type":"panic"}"#).await;
    assert_eq!(ada.closed().await.1.code, Some(1011));
    nothing_is_left(&server).await;
}

#[tokio::test]
async fn a_handler_that_panics_ends_its_connection_alone() {
    let (server, journal, _) = start().await;
    let mut other = connect(&server, "other").await;
    join(&mut other, "g").await;
    for kind in ["panic", "panic_later"] {
        let mut ada = connect(&server, "ada").await;
        join(&mut ada, "g").await;
        ada.text(&json!({ "type": kind, "ref": 3 }).to_string()).await;
        let error = ends_with_1011(&mut ada, "INTERNAL_ERROR").await;
        assert_eq!((&error["ref"], &error["data"]["message_type"]), (&json!(3), &json!(kind)));
        assert!(!error.to_string().contains("panicked"), "no internals: {error}");
        until_equal("members", 1, async || server.manager.group_count("g").await.expect("a count")).await;
        assert_eq!(server.manager.stats().users, 1);
        until("the hook has run", async || journal.count("disconnected ada") > 0).await;
    }
    post(&mut other, json!({ "group": "g", "text": 1 })).await;
    assert_eq!(texts(&mut other).await, [1]);
    other.close(1000).await;
    nothing_is_left(&server).await;
    assert_eq!((journal.count("disconnect ada 1011"), journal.count("disconnected ada")), (2, 2), "once each");
}

#[tokio::test]
async fn a_panicking_rule_ends_its_connection_like_a_panicking_handler() {
    let (server, journal, _) = start().await;
    let mut ada = connect(&server, "ada").await;
    join(&mut ada, "g").await;
    ada.text(r#"{"type":"unlucky","ref":1,"data":{"text":"boom"}}"#).await;
    ends_with_1011(&mut ada, "INTERNAL_ERROR").await;
    nothing_is_left(&server).await;
    until_equal("the hook", 1, async || journal.count("disconnected ada")).await;
}

#[tokio::test]
async fn a_handler_past_its_deadline_ends_its_connection() {
    let (server, journal, _) = start().await;
    let mut ada = connect(&server, "ada").await;
    ada.text(r#"{"type":"stuck","ref":4}"#).await;
    let error = ends_with_1011(&mut ada, "TIMEOUT").await;
    assert_eq!((&error["ref"], &error["data"]["category"]), (&json!(4), &json!("timeout")));
    assert_eq!((&error["data"]["retryable"], &error["data"]["severity"]), (&json!(true), &json!("high")));
    nothing_is_left(&server).await;
    assert_eq!((journal.count("stuck dropped"), journal.count("disconnect ada 1011")), (1, 1));
}

#[tokio::test]
async fn a_cancel_safe_handler_past_its_deadline_keeps_its_connection() {
    let (server, journal, _) = start().await;
    let mut ada = connect(&server, "ada").await;
    for round in 1..4 {
        let error = ada.ask("stuck_safely", json!({})).await;
        assert_eq!(error["data"]["code"], "TIMEOUT");
        assert_eq!(journal.count("stuck safely dropped"), round);
        assert_eq!(ada.ask("me", json!({})).await["data"]["names"][1], "ada", "still open");
    }
    assert_eq!(journal.count("disconnect ada 1011"), 0);
}

#[tokio::test]
async fn a_handler_whose_destructor_panics_ends_its_connection_alone() {
    let (server, journal, _) = start().await;
    let mut ada = connect(&server, "ada").await;
    join(&mut ada, "g").await;
    ada.text(r#"{"type":"panic_at_its_end","ref":4}"#).await;
    ends_with_1011(&mut ada, "INTERNAL_ERROR").await;
    nothing_is_left(&server).await;
    until_equal("the hook", 1, async || journal.count("disconnected ada")).await;
}

#[tokio::test]
async fn the_deadline_of_a_handler_without_its_own_is_the_setting() {
    let mut settings = settings();
    settings.workers = 0;
    settings.ws_handler_timeout = std::time::Duration::from_millis(100);
    let (app, journal, _) = room(settings);
    let server = Server::start(app).await;
    let mut ada = connect(&server, "ada").await;
    ada.text(r#"{"type":"wait"}"#).await;
    ends_with_1011(&mut ada, "TIMEOUT").await;
    assert_eq!(journal.count("wait ends"), 0);
}

#[tokio::test]
async fn the_admission_of_a_failed_connection_is_released() {
    let mut settings = settings();
    settings.max_connections_per_client = 1;
    let (app, ..) = room(settings);
    let server = Server::start(app).await;
    for kind in ["panic", "stuck", "unlucky"] {
        until("a place", async || {
            let Ok(mut ada) = Client::offer(&server, "/room/ada", &[]).await else { return false };
            ada.say(kind, json!({ "text": "boom" })).await;
            ada.closed().await;
            true
        })
        .await;
    }
    until("a place", async || Client::offer(&server, "/room/ada", &[]).await.is_ok()).await;
}
