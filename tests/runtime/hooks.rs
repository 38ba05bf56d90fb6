//! `connect` and `disconnect`: the effect of their failures, and how often they run.

use std::time::Duration;

use serde_json::json;
use tests::client::Client;
use tests::room::room;
use tests::server::{Server, settings};
use tests::wait::{until, until_equal};
use tokio_tungstenite::tungstenite::Message;

use crate::{connect, nothing_is_left, start};

#[tokio::test]
async fn an_error_of_connect_is_sent_and_closes_with_its_code_without_disconnect() {
    let (server, journal, _) = start().await;
    for (what, code, error_code) in [("fail", 1008, "FORBIDDEN"), ("fail_with:4123", 4123, "NOT_TODAY")] {
        let mut ada = Client::connect(&server, &format!("/room/ada?connect=join:g,{what}")).await;
        let (before, closed) = ada.closed().await;
        assert_eq!(before.len(), 1, "{before:?}");
        assert_eq!((&before[0]["type"], &before[0]["data"]["code"]), (&json!("error"), &json!(error_code)));
        assert_eq!(before[0].get("ref"), None);
        assert_eq!((closed.code, &closed.json()["code"]), (Some(code), &json!(error_code)));
        nothing_is_left(&server).await;
    }
    assert_eq!(journal.lines(), ["connect ada", "connect ada"]);
}

#[tokio::test]
async fn a_connect_that_panics_closes_with_1011_and_disconnect_does_not_run() {
    let (server, journal, _) = start().await;
    let mut ada = Client::connect(&server, "/room/ada?connect=present:g,panic").await;
    let (before, closed) = ada.closed().await;
    assert_eq!((closed.code, &before[0]["data"]["code"]), (Some(1011), &json!("INTERNAL_ERROR")));
    assert_eq!(closed.json()["error_id"], before[0]["data"]["error_id"]);
    nothing_is_left(&server).await;
    assert_eq!(journal.lines(), ["connect ada"]);
}

#[tokio::test]
async fn a_connect_that_hangs_is_ended_by_the_deadline() {
    let mut settings = settings();
    settings.ws_handler_timeout = Duration::from_millis(100);
    let (app, journal, _) = room(settings);
    let server = Server::start(app).await;
    let mut ada = Client::connect(&server, "/room/ada?connect=hang").await;
    let (before, closed) = ada.closed().await;
    assert_eq!((closed.code, &before[0]["data"]["code"]), (Some(1011), &json!("TIMEOUT")));
    nothing_is_left(&server).await;
    assert_eq!(journal.lines(), ["connect ada"]);
}

#[tokio::test]
async fn messages_wait_until_connect_has_ended() {
    let (server, journal, gate) = start().await;
    let mut ada = Client::connect(&server, "/room/ada?connect=wait,join:g").await;
    ada.say("groups", json!({})).await;
    until("connect runs", async || journal.count("connect ada") == 1).await;
    gate.open(1);
    assert_eq!(ada.next().await["data"]["names"], json!(["g"]));
}

#[tokio::test]
async fn a_connection_that_connect_closes_handles_nothing() {
    let (server, journal, _) = start().await;
    let mut ada = Client::connect(&server, "/room/ada?connect=close:4002").await;
    ada.say("unlucky", json!({ "text": "handled" })).await;
    let (before, closed) = ada.closed().await;
    assert_eq!((before.len(), closed.code, closed.reason.as_str()), (0, Some(4002), "closed by connect"));
    until("disconnect", async || journal.count("disconnected ada") == 1).await;
    assert_eq!(journal.lines(), ["connect ada", "disconnect ada 4002", "disconnected ada"]);
}

#[tokio::test]
async fn disconnect_learns_how_the_connection_ended() {
    let (server, journal, _) = start().await;
    for code in [1000, 1001, 4321] {
        connect(&server, "ada").await.close(code).await;
    }
    drop(connect(&server, "ada").await);
    nothing_is_left(&server).await;
    let ends: Vec<_> = journal.lines().into_iter().filter(|line| line.starts_with("disconnect ada")).collect();
    assert_eq!(ends, ["disconnect ada 1000", "disconnect ada 1001", "disconnect ada 4321", "disconnect ada 1006"]);
}

#[tokio::test]
async fn a_disconnect_that_panics_or_hangs_leaves_nothing_behind() {
    let mut settings = settings();
    settings.ws_handler_timeout = Duration::from_millis(100);
    let (app, journal, _) = room(settings);
    let server = Server::start(app).await;
    for what in ["panic", "hang"] {
        let mut ada = Client::connect(&server, &format!("/room/ada?connect=present:g&disconnect={what}")).await;
        ada.settle().await;
        assert_eq!(ada.close(1000).await.code, Some(1000), "{what}");
        nothing_is_left(&server).await;
    }
    assert_eq!((journal.count("disconnect ada 1000"), journal.count("disconnected ada")), (2, 0));
}

#[tokio::test]
async fn disconnect_runs_once_also_when_many_things_end_a_connection_at_the_same_time() {
    let (server, journal, _) = start().await;
    for _ in 0..30 {
        let mut ada = connect(&server, "ada").await;
        ada.say("close", json!({ "text": 4000 })).await;
        let manager = server.manager.clone();
        let ending = tokio::spawn(async move { manager.disconnect_user("ada").await });
        ada.text(r#"{"type":"panic"}"#).await;
        drop(ada);
        ending.await.expect("no panic").expect("a count");
        nothing_is_left(&server).await;
    }
    until_equal("the hook", 30, async || journal.count("disconnected ada")).await;
    assert_eq!(journal.count("connect ada"), 30);
}

#[tokio::test]
async fn while_connect_runs_pings_are_answered_and_messages_wait() {
    let (server, journal, gate) = start().await;
    let mut ada = Client::connect(&server, "/room/ada?connect=wait,join:g").await;
    until("connect runs", async || journal.count("connect ada") == 1).await;
    ada.send(Message::Ping(b"one".to_vec().into())).await;
    assert_eq!(ada.pong().await, b"one");
    ada.text(r#"{"type":"groups","ref":1}"#).await;
    ada.text(r#"{"type":"me","ref":2}"#).await;
    gate.open(1);
    assert_eq!(ada.next().await["data"]["names"], json!(["g"]), "after connect");
    assert_eq!(ada.next().await["ref"], 2, "in their order");
}

/// Without reading, the peer's close frame would be noticed only when the hook ends.
#[tokio::test]
async fn a_client_that_leaves_while_connect_runs_is_known_to_have_left() {
    let (server, journal, gate) = start().await;
    let mut ada = Client::connect(&server, "/room/ada?connect=wait").await;
    until("connect runs", async || journal.count("connect ada") == 1).await;
    ada.send(Message::Close(None)).await;
    gate.open(1);
    assert_eq!(ada.closed().await.1.code, None, "its own close, given back");
    until("the hook has run", async || journal.count("disconnected ada") == 1).await;
    assert_eq!(journal.count("disconnect ada 1005"), 1, "{:?}", journal.lines());
    nothing_is_left(&server).await;
}

#[tokio::test]
async fn a_client_that_is_closed_while_connect_runs_gets_the_close_at_once() {
    let (server, journal, gate) = start().await;
    let mut ada = Client::connect(&server, "/room/ada?connect=wait").await;
    until("connect runs", async || journal.count("connect ada") == 1).await;
    server.manager.disconnect_user("ada").await.expect("told");
    // The frame arrives while the hook runs; the stream ends after it.
    let Some(Message::Close(Some(frame))) = ada.message().await else { panic!("no close frame") };
    assert_eq!(u16::from(frame.code), 4401);
    gate.open(1);
    nothing_is_left(&server).await;
}

/// A client that continues to send must not be blocked by a slow hook.
#[tokio::test]
async fn while_disconnect_runs_input_is_read_and_discarded() {
    let (server, journal, gate) = start().await;
    let mut ada = connect_waiting(&server).await;
    server.manager.disconnect_user("ada").await.expect("told");
    until("disconnect runs", async || journal.count("disconnect ada 4401") == 1).await;
    // More than all buffers between the two hold.
    let text = json!({ "type": "post", "data": { "text": "x".repeat(1 << 20) } }).to_string();
    for _ in 0..16 {
        ada.text(&text).await;
    }
    gate.open(1);
    nothing_is_left(&server).await;
    assert_eq!(ada.closed().await.1.code, Some(4401));
}

async fn connect_waiting(server: &Server) -> Client {
    let mut client = Client::connect(server, "/room/ada?disconnect=wait").await;
    client.settle().await;
    client
}
