//! The close handshake, in both directions.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::client::Client;
use tests::raw::{CLOSE, PING, PONG, Raw, TEXT, close, frame};
use tests::server::Server;
use tests::transport::Transport;
use tests::wait::{soon, until};

use crate::probe::probe;

/// More bytes than the server reads and the buffers of two sockets hold.
const MAX_SENT: usize = 48 * 1024 * 1024;

over_every_transport! {
    async fn the_close_code_of_a_client_is_echoed(over) {
        let server = probe(over).await;
        for code in [1000, 1001, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999] {
            let mut raw = Raw::open(&server, "/probe/ada").await;
            raw.send(&close(code, "bye")).await;
            let answer = raw.frame().await.expect("a close frame");
            assert_eq!(answer.closed(), (code, String::new()));
            assert!(raw.ends().await, "the server ends the stream: {code}");
        }
        until("gone", async || server.manager.stats().connections == 0).await;
    }

    async fn a_close_without_a_code_is_answered_without_one(over) {
        let server = probe(over).await;
        let mut raw = Raw::open(&server, "/probe/ada").await;
        raw.send(&frame(CLOSE, &[])).await;
        let answer = raw.frame().await.expect("a close frame");
        assert_eq!((answer.first, answer.payload.as_slice()), (CLOSE, &[][..]));
        assert!(raw.ends().await);
    }

    async fn messages_before_a_close_are_answered_and_later_ones_are_not(over) {
        let server = probe(over).await;
        let mut raw = Raw::open(&server, "/probe/ada").await;
        let ask = |reference: u64| frame(TEXT, format!(r#"{{"type":"some","ref":{reference}}}"#).as_bytes());
        raw.send(&[ask(1), close(1000, ""), ask(2)].concat()).await;
        assert_eq!(raw.json().await["ref"], 1);
        assert_eq!(raw.frame().await.expect("a close frame").closed().0, 1000);
        assert!(raw.ends().await);
    }

    async fn the_close_frame_is_last_even_after_a_ping(over) {
        let server = probe(over).await;
        for _ in 0..20 {
            let mut raw = Raw::open(&server, "/probe/ada").await;
            raw.send(&[frame(PING, b"x"), close(1000, "")].concat()).await;
            let pong = raw.frame().await.expect("a frame");
            assert_eq!(pong.first, PONG, "the ping came first");
            assert_eq!(raw.frame().await.expect("a close frame").closed().0, 1000);
            assert!(raw.ends().await);
        }
    }

    async fn a_server_that_closes_waits_for_the_clients_close(over) {
        let server = probe(over).await;
        let mut raw = Raw::open(&server, "/probe/ada").await;
        raw.text(r#"{"type":"close"}"#).await;
        assert_eq!(raw.json().await["data"]["text"], "goodbye", "what was sent before still goes out");
        assert_eq!(raw.frame().await.expect("a close frame").closed(), (4001, "enough".to_owned()));
        raw.send(&close(4001, "")).await;
        assert!(raw.ends().await);
        until("gone", async || server.manager.stats().connections == 0).await;
    }

    async fn nothing_is_handled_after_the_server_closed(over) {
        let server = probe(over).await;
        for kind in ["close", "close_later"] {
            let mut raw = Raw::open(&server, "/probe/ada").await;
            let bytes: Vec<u8> = [
                frame(TEXT, format!(r#"{{"type":"{kind}"}}"#).as_bytes()),
                frame(TEXT, br#"{"type":"some","ref":2}"#),
                frame(TEXT, br#"{"type":"some","ref":3}"#),
            ]
            .concat();
            raw.send(&bytes).await;
            let mut before = Vec::new();
            let closed = loop {
                let frame = raw.frame().await.expect("a close frame");
                if frame.first == CLOSE {
                    break frame.closed();
                }
                before.push(frame.json()["ref"].clone());
            };
            assert_eq!(closed.0, 4001, "{kind}");
            assert!(!before.contains(&json!(2)) && !before.contains(&json!(3)), "{kind}: {before:?}");
        }
    }

    async fn the_reason_of_an_error_arrives_even_after_more_messages(over) {
        let server = probe(over).await;
        for _ in 0..10 {
            let mut raw = Raw::open(&server, "/probe/ada").await;
            let fatal = frame(TEXT, br#"{"type":"fatal"}"#);
            // A frame may be split between two reads.
            let more = frame(TEXT, &[b'x'; 777]).repeat(400);
            raw.try_send(&[fatal, more].concat()).await;
            assert_eq!(raw.closed().await.0, 4000);
        }
    }

    async fn a_client_that_vanishes_is_forgotten(over) {
        let server = probe(over).await;
        let client = Client::connect(&server, "/probe/ada").await;
        until("there", async || server.manager.stats().connections == 1).await;
        drop(client);
        until("gone", async || server.manager.stats().connections == 0).await;
        assert_eq!(server.manager.online_count().await.expect("a count"), 0);
    }
}

/// Sends pings after the close frame of the server, and returns the number of bytes that were accepted until the end.
async fn pings_after_the_close(server: &Server) -> usize {
    let mut raw = Raw::open(server, "/probe/ada").await;
    raw.text(r#"{"type":"close"}"#).await;
    assert_eq!(raw.closed().await.0, 4001);
    let pings = frame(PING, b"").repeat(10_000);
    let mut sent = 0;
    let sending = async {
        while sent < MAX_SENT && raw.try_send(&pings).await {
            sent += pings.len();
        }
    };
    soon("the socket ends, or takes everything", sending).await;
    sent
}

#[tokio::test]
async fn little_is_read_of_a_client_that_goes_on_after_the_close() {
    let server = probe(Transport::Tcp).await;
    let sent = pings_after_the_close(&server).await;
    assert!(sent < MAX_SENT, "{sent} bytes were read");
}

/// A server that closes waits five seconds for a client that does not answer.
async fn is_left_after_five_seconds(over: Transport) {
    let server = probe(over).await;
    let mut raw = Raw::open(&server, "/probe/ada").await;
    raw.text(r#"{"type":"close"}"#).await;
    assert_eq!(raw.closed().await.0, 4001);
    let begun = Instant::now();
    // The socket stays open for five more seconds, and reads what the client still sends.
    let ended = async {
        while raw.try_send(&frame(TEXT, b"{}")).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    soon("the socket ends", ended).await;
    let taken = begun.elapsed();
    assert!((Duration::from_millis(4500)..Duration::from_secs(9)).contains(&taken), "{taken:?}");
    assert_eq!(server.manager.stats().connections, 0);
}

#[tokio::test]
async fn a_client_that_never_answers_a_close_is_dropped_after_five_seconds() {
    is_left_after_five_seconds(Transport::Tcp).await;
}

#[tokio::test]
async fn a_client_on_any_stream_that_never_answers_a_close_is_dropped_after_five_seconds() {
    is_left_after_five_seconds(Transport::Hidden).await;
}

/// A client that answers a close may reconnect at once, even if only one connection is allowed.
#[tokio::test]
async fn a_client_that_closed_can_reconnect_at_once_under_a_limit_of_one() {
    let mut settings = tests::server::settings();
    settings.max_connections_per_client = 1;
    let app = agentcore::AgentCore::new(settings).consumer::<crate::probe::Probe>();
    let server = Server::start(app).await;
    for round in 0..100 {
        let mut client =
            Client::offer(&server, "/probe/ada", &[]).await.unwrap_or_else(|error| panic!("{round}: {error}"));
        assert_eq!(client.settle().await, Vec::<Value>::new());
        assert_eq!(client.close(1000).await.code, Some(1000));
    }
}
