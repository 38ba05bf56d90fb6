//! Limits: connections are refused before the upgrade and leave nothing behind.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tests::raw::{PING, PONG, Raw, TEXT, frame, handshake};
use tests::room::room;
use tests::server::{Server, settings};
use tests::wait::until;

use crate::{connect, join, nothing_is_left, start};

#[tokio::test]
async fn a_connection_above_the_limit_is_refused_with_a_retry_hint() {
    for of_user in [true, false] {
        let mut settings = settings();
        if of_user {
            settings.max_connections_per_client = 2;
        } else {
            settings.max_total_connections = 2;
        }
        let (app, journal, _) = room(settings);
        let server = Server::start(app).await;
        let held = [connect(&server, "ada").await, connect(&server, "ada").await];
        let (_, answer) = Raw::handshake(&server, handshake("/room/ada").as_bytes()).await;
        assert_eq!(answer.status, if of_user { 429 } else { 503 });
        let seconds: u64 = answer.header("retry-after").and_then(|text| text.parse().ok()).expect("whole seconds");
        let error = answer.json()["error"].clone();
        assert_eq!((&error["code"], &error["category"]), (&json!("LIMIT_EXCEEDED"), &json!("connection")));
        assert_eq!(error["retryable"], true);
        assert_eq!(error["retry_after_ms"], seconds * 1000);
        assert_eq!(server.manager.stats().connections, 2);
        assert_eq!(journal.count("connect ada"), 2, "the consumer never heard of it");
        drop(held);
        nothing_is_left(&server).await;
        until("a place", async || Raw::handshake(&server, handshake("/room/ada").as_bytes()).await.1.status == 101)
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_a_hundred_of_two_thousand_simultaneous_clients_are_admitted() {
    let mut settings = settings();
    settings.max_total_connections = 100;
    let (app, journal, _) = room(settings);
    let server = Arc::new(Server::start(app).await);
    let tasks: Vec<_> = (0..2_000)
        .map(|number| {
            let server = server.clone();
            tokio::spawn(
                async move { Raw::handshake(&server, handshake(&format!("/room/u{number}")).as_bytes()).await },
            )
        })
        .collect();
    let (mut held, mut statuses) = (Vec::new(), HashMap::<u16, usize>::new());
    for task in tasks {
        let (raw, answer) = task.await.expect("no panic");
        *statuses.entry(answer.status).or_default() += 1;
        if answer.status == 101 {
            held.push(raw);
        }
    }
    assert_eq!(statuses, HashMap::from([(101, 100), (503, 1_900)]));
    until("all are there", async || server.manager.stats().connections == 100).await;
    assert_eq!(server.manager.online_count().await.expect("a count"), 100);
    drop(held);
    nothing_is_left(&server).await;
    assert_eq!(journal.lines().iter().filter(|line| line.starts_with("connect ")).count(), 100);
}

#[tokio::test]
async fn a_connection_is_in_no_more_groups_than_it_may() {
    let mut settings = settings();
    settings.ws_max_groups_per_connection = 3;
    let (app, ..) = room(settings);
    let server = Server::start(app).await;
    let mut ada = connect(&server, "ada").await;
    for group in ["a", "b", "c"] {
        join(&mut ada, group).await;
    }
    for kind in ["join", "enter"] {
        let error = ada.ask(kind, json!({ "group": "d" })).await;
        assert_eq!(error["data"]["code"], "LIMIT_EXCEEDED", "{error}");
        assert_eq!(error["data"]["category"], "connection");
    }
    assert_eq!(ada.ask("join", json!({ "group": "a" })).await["data"]["names"][0], "false", "it is in that one");
    assert_eq!((server.manager.stats().groups, server.manager.group_count("d").await.expect("a count")), (3, 0));
    ada.ask("leave", json!({ "group": "b" })).await;
    join(&mut ada, "d").await;
    assert_eq!(ada.ask("groups", json!({})).await["data"]["names"], json!(["a", "c", "d"]));
}

#[tokio::test]
async fn a_client_that_vanishes_within_its_handshake_leaves_nothing_behind() {
    let (server, ..) = start().await;
    for length in [1, 20, 100, 170] {
        for _ in 0..20 {
            let mut raw = Raw::reach(&server).await;
            let request = handshake("/room/ada");
            raw.send(&request.as_bytes()[..length.min(request.len())]).await;
        }
    }
    for _ in 0..50 {
        let mut raw = Raw::reach(&server).await;
        raw.send(handshake("/room/ada").as_bytes()).await;
    }
    drop(connect(&server, "bob").await);
    nothing_is_left(&server).await;
}

#[tokio::test]
async fn a_flood_of_pings_or_unsolicited_pongs_closes_with_1008() {
    let (server, ..) = start().await;
    for kind in [PING, PONG] {
        let mut raw = Raw::open(&server, "/room/ada").await;
        let flood = frame(kind, b"").repeat(1000);
        for _ in 0..59 {
            raw.send(&flood).await;
        }
        raw.send(&frame(kind, b"").repeat(999)).await;
        raw.text(r#"{"type":"ping","ref":1}"#).await;
        let answered = |text: &[u8]| serde_json::from_slice(text).is_ok_and(|text: Value| text["type"] == "pong");
        loop {
            let told = raw.frame().await.expect("sixty thousand are borne");
            if told.first == TEXT && answered(&told.payload) {
                break;
            }
        }
        raw.send(&frame(kind, b"")).await;
        let (code, reason) = raw.closed().await;
        assert!(code == 1008 && reason.contains("TOO_MANY_PINGS"), "{code} {reason}");
    }
}

/// Each of these handlers leaves time for some thousand pings, and is followed by another one.
#[tokio::test]
async fn pings_that_arrive_while_handlers_run_are_counted_too() {
    let (server, journal, gate) = start().await;
    let mut raw = Raw::open(&server, "/room/ada").await;
    for round in 1..=6 {
        raw.text(r#"{"type":"wait"}"#).await;
        until("the handler runs", async || journal.count("wait begins") == round).await;
        raw.send(&[frame(PING, b"").repeat(9_999), frame(PING, b"last")].concat()).await;
        while raw.frame().await.expect("ten thousand at a time are borne").payload != b"last" {}
        assert_eq!(journal.count("wait ends"), round - 1, "they were read beside it");
        gate.open(1);
        until("the handler has ended", async || journal.count("wait ends") == round).await;
    }
    raw.text(r#"{"type":"wait"}"#).await;
    until("the handler runs", async || journal.count("wait begins") == 7).await;
    raw.send(&frame(PING, b"")).await;
    gate.open(1);
    let (code, reason) = raw.closed().await;
    assert!(code == 1008 && reason.contains("TOO_MANY_PINGS"), "{code} {reason}");
}
