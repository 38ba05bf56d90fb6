//! Reading while a handler runs.

use std::time::Duration;

use serde_json::json;
use tests::client::Client;
use tests::raw::{CLOSE, PING, PONG, Raw, TEXT, close, frame};
use tests::room::room;
use tests::server::{Server, settings};
use tests::wait::until;
use tokio_tungstenite::tungstenite::Message;

use crate::{connect, nothing_is_left, start};

#[tokio::test]
async fn a_ping_is_answered_while_a_handler_runs() {
    let (server, journal, gate) = start().await;
    let mut ada = connect(&server, "ada").await;
    ada.text(r#"{"type":"wait","ref":1}"#).await;
    until("the handler runs", async || journal.count("wait begins") == 1).await;
    for number in 0..5_u8 {
        ada.send(Message::Ping(vec![number].into())).await;
        assert_eq!(ada.pong().await, [number]);
    }
    assert_eq!(journal.count("wait ends"), 0);
    gate.open(1);
    assert_eq!(ada.next().await["ref"], 1);
}

#[tokio::test]
async fn messages_that_arrive_while_a_handler_runs_are_handled_after_it_in_order() {
    let (server, journal, gate) = start().await;
    let mut raw = Raw::open(&server, "/room/ada").await;
    raw.text(r#"{"type":"wait","ref":0}"#).await;
    until("the handler runs", async || journal.count("wait begins") == 1).await;
    let mut bytes = Vec::new();
    for number in 1..2_000_u32 {
        bytes.extend(frame(TEXT, format!(r#"{{"type":"me","ref":{number}}}"#).as_bytes()));
    }
    // More than the read-ahead holds: the rest waits in the socket.
    let (first, second) = bytes.split_at(bytes.len() / 2);
    raw.send(first).await;
    gate.open(1);
    raw.send(second).await;
    for number in 0..2_000 {
        assert_eq!(raw.json().await["ref"], number);
    }
}

#[tokio::test]
async fn handlers_that_wait_one_after_another_keep_the_order() {
    let (server, _, gate) = start().await;
    let mut ada = connect(&server, "ada").await;
    for number in 0..100 {
        let kind = if number % 2 == 0 { "wait" } else { "me" };
        ada.text(&json!({ "type": kind, "ref": number }).to_string()).await;
    }
    gate.open(50);
    for number in 0..100 {
        assert_eq!(ada.next().await["ref"], number);
    }
}

#[tokio::test]
async fn a_client_that_disconnects_does_not_cancel_its_handler() {
    let (server, journal, gate) = start().await;
    for closes in [true, false] {
        let mut raw = Raw::open(&server, "/room/ada").await;
        raw.text(r#"{"type":"wait"}"#).await;
        until("the handler runs", async || journal.lines().last().is_some_and(|line| line == "wait begins")).await;
        if closes {
            raw.send(&close(1000, "")).await;
        }
        drop(raw);
        gate.open(1);
        nothing_is_left(&server).await;
        until("the hook has run", async || journal.lines().last().is_some_and(|line| line == "disconnected ada")).await;
    }
    assert_eq!(journal.count("wait ends"), 2);
    assert_eq!((journal.count("disconnect ada 1000"), journal.count("disconnect ada 1006")), (1, 1));
}

#[tokio::test]
async fn a_connection_can_be_closed_while_its_client_sends_without_a_pause() {
    let (server, journal, gate) = start().await;
    gate.open(1_000_000);
    let mut raw = Raw::open(&server, "/room/ada").await;
    // Each handler takes a moment, and more messages arrive than are handled.
    let flood = frame(TEXT, br#"{"type":"wait"}"#).repeat(30_000);
    let sending = tokio::spawn(async move {
        raw.try_send(&flood).await;
        raw.closed().await
    });
    until("some are handled", async || journal.count("wait ends") > 10).await;
    assert_eq!(server.manager.disconnect_user("ada").await.expect("a count").connections, 1);
    let (code, _) = sending.await.expect("no panic");
    assert_eq!(code, 4401);
    assert!(journal.count("wait ends") < 30_000, "it was ended before all was handled");
    nothing_is_left(&server).await;
}

#[tokio::test]
async fn a_ping_behind_a_waiting_message_is_answered_after_it() {
    let (server, journal, gate) = start().await;
    let mut raw = Raw::open(&server, "/room/ada").await;
    raw.text(r#"{"type":"wait","ref":1}"#).await;
    until("the handler runs", async || journal.count("wait begins") == 1).await;
    raw.send(&[frame(TEXT, br#"{"type":"me","ref":2}"#), frame(PING, b"behind")].concat()).await;
    gate.open(1);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let frame = raw.frame().await.expect("a frame");
        seen.push(if frame.first == PONG { "pong".to_owned() } else { frame.json()["ref"].to_string() });
    }
    seen.retain(|what| what != "pong");
    assert_eq!(seen, ["1", "2"]);
}

#[tokio::test]
async fn many_connections_with_waiting_handlers_do_not_delay_others() {
    let (server, journal, gate) = start().await;
    let mut waiting: Vec<Client> = Vec::new();
    for number in 0..50 {
        let mut client = connect(&server, &format!("w{number}")).await;
        client.say("wait", json!({})).await;
        waiting.push(client);
    }
    until("all wait", async || journal.count("wait begins") == 50).await;
    let mut ada = connect(&server, "ada").await;
    assert_eq!(ada.ask("me", json!({})).await["data"]["names"][1], "ada");
    gate.open(50);
    for client in &mut waiting {
        client.settle().await;
    }
    assert_eq!(journal.count("wait ends"), 50);
}

#[tokio::test]
async fn a_user_disconnected_while_a_handler_runs_is_removed_at_once_and_the_handler_ends() {
    let (server, journal, gate) = start().await;
    let mut ada = Raw::open(&server, "/room/ada").await;
    ada.text(r#"{"type":"wait"}"#).await;
    until("the handler runs", async || journal.count("wait begins") == 1).await;
    assert_eq!(server.manager.disconnect_user("ada").await.expect("a count").connections, 1);
    // The handler still waits: no permit was given.
    let close = ada.frame().await.expect("a frame");
    assert_eq!((close.first, close.payload.get(..2)), (CLOSE, Some(&4401_u16.to_be_bytes()[..])));
    assert_eq!(journal.count("wait ends"), 0);
    gate.open(1);
    until("the handler has ended", async || journal.count("wait ends") == 1).await;
    nothing_is_left(&server).await;
}

/// The read-ahead is bounded, so an incomplete message at its bound is not the client's fault.
#[tokio::test]
async fn the_time_of_a_handler_does_not_count_for_the_next_message() {
    let mut settings = settings();
    settings.ws_message_timeout = Duration::from_millis(700);
    let (timeout, (app, journal, gate)) = (settings.ws_message_timeout, room(settings));
    let server = Server::start(app).await;
    let mut raw = Raw::open(&server, "/room/ada").await;
    let next = frame(TEXT, br#"{"type":"me","ref":2}"#);
    let (first, second) = next.split_at(9);
    raw.send(&[&frame(TEXT, br#"{"type":"wait","ref":1}"#), first].concat()).await;
    until("the handler runs", async || journal.count("wait begins") == 1).await;
    tokio::time::sleep(timeout * 3).await;
    raw.send(second).await;
    gate.open(1);
    assert_eq!((raw.json().await["ref"].clone(), raw.json().await["ref"].clone()), (json!(1), json!(2)));
}
