//! Clients that do not read are disconnected, and delay no other client.

use std::time::Duration;

use serde_json::{Value, json};
use tests::raw::{Raw, TEXT, frame};
use tests::room::room;
use tests::server::{Server, settings};
use tests::transport::{Transport, dress};
use tests::wait::{until, until_equal};
use tokio::net::TcpSocket;

use crate::{connect, join, nothing_is_left};

/// Connects a client with small socket buffers.
async fn narrow(server: &Server, transport: Transport) -> Raw {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let socket = socket.connect(server.address).await.expect("the server accepts");
    let mut raw = Raw::over(dress(transport, socket).await);
    raw.upgrade("/room/slow").await;
    raw.text(r#"{"type":"join","ref":1,"data":{"group":"g"}}"#).await;
    assert_eq!(raw.json().await["ref"], 1);
    raw
}

async fn a_stalled_reader_is_disconnected_while_others_get_everything(transport: Transport) {
    let mut settings = settings();
    settings.ws_max_outbox_bytes = 256 * 1024;
    let (app, journal, _) = room(settings);
    let server = Server::over(transport, app).await;
    let mut slow = narrow(&server, transport).await;
    let mut readers = [connect(&server, "a").await, connect(&server, "b").await];
    for reader in &mut readers {
        join(reader, "g").await;
    }
    let payload = "x".repeat(100_000);
    let mut number = 0;
    while journal.count("disconnect slow 1013") == 0 {
        number += 1;
        assert!(number < 1_000, "sockets do not take that much");
        let [sender, reader] = &mut readers;
        sender.say("post", json!({ "group": "g", "text": [number, payload] })).await;
        for client in [sender, reader] {
            assert_eq!(client.next().await["data"]["text"][0], number);
        }
    }
    // Now it reads: complete frames first, then the close code.
    let (code, reason) = slow.closed().await;
    until_equal("members", 2, async || server.manager.group_count("g").await.expect("a count")).await;
    let reason: Value = serde_json::from_str(&reason).expect("JSON");
    assert_eq!((code, &reason["code"]), (1013, &json!("SLOW_CONSUMER")));
    assert!(reason["retry_after_ms"].as_u64() > Some(0), "{reason}");
    drop((readers, slow));
    nothing_is_left(&server).await;
    assert_eq!(journal.count("disconnected slow"), 1);
    assert_eq!(server.manager.stats().slow_consumers, 1);
}

#[tokio::test]
async fn a_tcp_reader_that_stops_is_disconnected() {
    a_stalled_reader_is_disconnected_while_others_get_everything(Transport::Tcp).await;
}

#[tokio::test]
async fn a_stalled_reader_on_any_stream_is_disconnected() {
    a_stalled_reader_is_disconnected_while_others_get_everything(Transport::Hidden).await;
}

#[tokio::test]
async fn a_socket_that_accepts_nothing_for_the_write_timeout_is_closed() {
    for transport in [Transport::Tcp, Transport::Hidden] {
        let mut settings = settings();
        settings.ws_max_outbox_bytes = 64 << 20;
        settings.ws_write_timeout = Duration::from_millis(300);
        let (app, journal, _) = room(settings);
        let server = Server::over(transport, app).await;
        let slow = narrow(&server, transport).await;
        let mut sender = connect(&server, "sender").await;
        for _ in 0..10 {
            sender.say("post", json!({ "group": "g", "text": "x".repeat(1_000_000) })).await;
        }
        sender.settle().await;
        until("it is told", async || journal.count("disconnect slow 1013") == 1).await;
        assert_eq!(server.manager.stats().slow_consumers, 1);
        drop(slow);
    }
}

#[tokio::test]
async fn an_empty_outbox_takes_a_message_of_any_size() {
    let mut settings = settings();
    settings.ws_max_outbox_bytes = 1024;
    let (app, ..) = room(settings);
    let server = Server::start(app).await;
    let mut reader = connect(&server, "reader").await;
    join(&mut reader, "g").await;
    let mut sender = connect(&server, "sender").await;
    sender.say("post", json!({ "group": "g", "text": "x".repeat(3_000_000) })).await;
    assert_eq!(reader.next().await["data"]["text"].as_str().map(str::len), Some(3_000_000));
}

/// A client that sends without reading cannot make the server queue its replies without bound.
#[tokio::test]
async fn a_client_that_sends_requests_without_reading_is_disconnected() {
    let mut settings = settings();
    settings.ws_max_outbox_bytes = 64 * 1024;
    let (app, journal, _) = room(settings);
    let server = Server::start(app).await;
    let mut slow = narrow(&server, Transport::Tcp).await;
    let sending = tokio::spawn(async move {
        let text = "x".repeat(60_000);
        let ask = format!(r#"{{"type":"post","data":{{"user":"slow","text":"{text}"}}}}"#);
        let ask = frame(TEXT, ask.as_bytes());
        for _ in 0..400 {
            if !slow.try_send(&ask).await {
                break;
            }
        }
        slow
    });
    until("it is told", async || journal.count("disconnect slow 1013") == 1).await;
    drop(sending.await.expect("no panic"));
    nothing_is_left(&server).await;
}
