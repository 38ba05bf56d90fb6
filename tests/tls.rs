//! TLS in the process: `into_router` behind a server of the application. The protocol tests run over TLS too; these tests
//! cover what only TLS, or any stream that is not a plain socket, can break.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

use serde_json::json;
use tests::client::Client;
use tests::http;
use tests::raw::{Raw, TEXT, close, frame, handshake};
use tests::room::{Journal, room};
use tests::server::{Server, settings};
use tests::transport::Transport;
use tests::wait::{soon, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn start() -> (Server, Journal) {
    let mut settings = settings();
    settings.ws_max_outbox_bytes = 8 << 20;
    let (app, journal, _) = room(settings);
    (Server::over(Transport::Tls, app).await, journal)
}

async fn member(server: &Server, user: &str) -> Client {
    let mut client = Client::connect(server, &format!("/room/{user}?connect=join:g")).await;
    client.settle().await;
    client
}

#[tokio::test]
async fn messages_of_every_size_cross_tls_in_order() {
    let (server, _) = start().await;
    let mut clients = [member(&server, "a").await, member(&server, "b").await, member(&server, "c").await];
    // Below, at and above the 16 KiB of a TLS record and the 64 KiB of one write.
    let sizes = [0, 1, 16_300, 16_384, 16_500, 65_000, 65_536, 66_000, 1_000_000];
    for size in sizes {
        clients[0].say("post", json!({ "group": "g", "text": "x".repeat(size) })).await;
    }
    for client in &mut clients {
        for size in sizes {
            assert_eq!(client.next().await["data"]["text"].as_str().map(str::len), Some(size));
        }
    }
}

#[tokio::test]
async fn a_burst_to_a_group_arrives_complete_and_in_order() {
    let (server, _) = start().await;
    let mut clients = [member(&server, "a").await, member(&server, "b").await];
    for number in 0..2_000 {
        clients[0].say("post", json!({ "group": "g", "text": number })).await;
    }
    for client in &mut clients {
        for number in 0..2_000 {
            assert_eq!(client.next().await["data"]["text"], number);
        }
    }
}

/// Without it a client cannot tell a close from an attack (RFC 8446 6.1).
#[tokio::test]
async fn the_stream_ends_with_a_tls_close_notify() {
    let (server, _) = start().await;
    for close_first in [true, false] {
        let mut stream = server.reach().await;
        let mut bytes = handshake("/room/ada").into_bytes();
        if !close_first {
            bytes.extend(frame(TEXT, br#"{"type":"close","data":{"text":4000}}"#));
        }
        bytes.extend(close(1000, ""));
        stream.write_all(&bytes).await.expect("the server reads");
        let mut all = Vec::new();
        soon("the end", stream.read_to_end(&mut all)).await.expect("an end that TLS knows of");
        assert!(!all.is_empty());
    }
}

#[tokio::test]
async fn rest_and_upgrades_share_a_tls_port() {
    let (server, _) = start().await;
    assert_eq!(http::get(&server, "/health").await.status, 200);
    let mut ada = member(&server, "ada").await;
    assert_eq!(ada.ask("me", json!({})).await["data"]["names"][1], "ada");
}

#[tokio::test]
async fn a_client_without_tls_does_not_affect_others() {
    let (server, journal) = start().await;
    let mut ada = member(&server, "ada").await;
    let plain = tokio::net::TcpStream::connect(server.address).await.expect("the port accepts");
    let mut plain = Raw::over(plain);
    plain.try_send(handshake("/room/eve").as_bytes()).await;
    drop(plain);
    assert_eq!(ada.ask("me", json!({})).await["data"]["names"][1], "ada");
    assert_eq!(journal.count("connect eve"), 0);
}

#[tokio::test]
async fn a_tls_client_that_vanishes_is_forgotten() {
    let (server, journal) = start().await;
    for _ in 0..10 {
        drop(member(&server, "ada").await);
    }
    until("all are gone", async || server.manager.stats().connections == 0).await;
    until("all hooks ran", async || journal.count("disconnected ada") == 10).await;
    assert_eq!(server.manager.stats().groups, 0);
}
