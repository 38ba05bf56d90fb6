//! Messages that are begun and not completed: a client has `WS_MESSAGE_TIMEOUT` for each.

use std::time::{Duration, Instant};

use agentcore::AgentCore;
use serde_json::Value;
use tests::raw::{PING, PONG, Raw, TEXT, frame, header};
use tests::server::{Server, settings};
use tests::transport::Transport;
use tests::wait::{soon, until};

use crate::probe::Probe;

const TEXT_PART: u8 = 0x01;
const MORE: u8 = 0x00;
const LAST: u8 = 0x80;

/// Time between two fragments.
const PACE: Duration = Duration::from_millis(20);

async fn start(over: Transport, timeout: Duration) -> Server {
    let mut settings = settings();
    settings.ws_message_timeout = timeout;
    Server::over(over, AgentCore::new(settings).consumer::<Probe>()).await
}

/// Sends fragments until the server closes; returns the close frame.
async fn dribble(raw: &mut Raw, mut pieces: impl Iterator<Item = Vec<u8>>) -> (u16, Value) {
    let closed = soon("a close frame", async {
        loop {
            match tokio::time::timeout(PACE, raw.closed()).await {
                Ok(closed) => return closed,
                Err(_) => raw.try_send(&pieces.next().expect("another piece")).await,
            };
        }
    });
    let (code, reason) = closed.await;
    (code, serde_json::from_str(&reason).expect("JSON"))
}

#[tokio::test]
async fn unfinished_messages_of_all_clients_are_bounded_together() {
    const MAX: usize = 1024 * 1024;
    let mut settings = settings();
    (settings.ws_max_message_size, settings.ws_max_unfinished_bytes) = (MAX, 2 * MAX);
    let server = Server::start(AgentCore::new(settings).consumer::<Probe>()).await;
    let begun = frame(TEXT_PART, &vec![b' '; MAX - 100]);
    let mut open = Vec::new();
    let refused = loop {
        let mut raw = Raw::open(&server, "/probe/ada").await;
        raw.try_send(&begun).await;
        // A ping is answered after the bytes before it are read.
        raw.try_send(&frame(PING, b"")).await;
        match raw.frame().await.expect("an answer") {
            pong if pong.first == PONG => open.push(raw),
            close => break close,
        }
        assert!(open.len() < 10, "nobody is refused");
    };
    let (code, reason) = refused.closed();
    assert_eq!((code, reason.contains("TOO_MANY_UNFINISHED")), (1013, true), "{reason}");
    assert!(!open.is_empty());
    // A small message in two pieces still passes, and a large one once there is room again.
    let mut raw = Raw::open(&server, "/probe/ada").await;
    let small = frame(TEXT, br#"{"type":"ping"}"#);
    raw.send(&small[..10]).await;
    raw.send(&small[10..]).await;
    assert_eq!(raw.json().await["type"], "pong");
    drop(open);
    until("the others are gone", async || server.manager.stats().connections == 1).await;
    raw.send(&begun).await;
    raw.send(&frame(LAST, br#"{"type":"ping"}"#)).await;
    assert_eq!(raw.json().await["type"], "pong");
}

over_every_transport! {
    async fn a_message_in_tiny_pieces_that_takes_too_long_closes_with_1008(over) {
        let server = start(over, PACE * 20).await;
        let one_frame = [header(TEXT, 60_000), vec![b'x' ^ 0x5A; 60_000]].concat();
        let fragments = [frame(TEXT_PART, b"{"), frame(MORE, b"").repeat(10_000)].concat();
        let ping = [header(PING, 100), vec![0; 100]].concat();
        for (what, bytes) in [("one frame", one_frame), ("empty fragments", fragments), ("a ping", ping)] {
            let mut raw = Raw::open(&server, "/probe/ada").await;
            let (code, reason) = dribble(&mut raw, bytes.chunks(1).map(<[u8]>::to_vec)).await;
            assert_eq!((code, &reason["code"]), (1008, &"MESSAGE_TIMEOUT".into()), "{what}");
            assert!(reason["error_id"].is_string(), "{what}");
        }
        until("nobody is left", async || server.manager.stats().connections == 0).await;
    }

    async fn pings_and_pongs_between_fragments_do_not_extend_the_deadline(over) {
        let server = start(over, PACE * 20).await;
        for kind in [PING, PONG] {
            let mut raw = Raw::open(&server, "/probe/ada").await;
            raw.send(&frame(TEXT_PART, br#"{"type":"#)).await;
            let (code, reason) = dribble(&mut raw, std::iter::repeat(frame(kind, b"alive"))).await;
            assert_eq!((code, &reason["code"]), (1008, &"MESSAGE_TIMEOUT".into()));
        }
    }

    async fn a_slow_message_that_is_complete_in_time_is_handled(over) {
        let server = start(over, Duration::from_secs(60)).await;
        let mut raw = Raw::open(&server, "/probe/ada").await;
        raw.send(&frame(TEXT_PART, br#"{"type":"echo","#)).await;
        for part in [&br#""ref":1,"#[..], br#""data":"#, br#"{"text":"#] {
            tokio::time::sleep(PACE).await;
            raw.send(&[frame(PING, b""), frame(MORE, part)].concat()).await;
            assert_eq!(raw.frame().await.expect("a pong").first, PONG);
        }
        for byte in frame(LAST, br#""a"}}"#) {
            tokio::time::sleep(PACE).await;
            raw.send(&[byte]).await;
        }
        assert_eq!(raw.json().await["data"]["text"], "a");
    }
}

/// A client that is always within a message, but never long within the same one.
#[tokio::test]
async fn each_message_has_a_deadline_of_its_own() {
    /// Long compared to the delays of a busy machine.
    const TIMEOUT: Duration = Duration::from_millis(1500);
    let server = start(Transport::Tcp, TIMEOUT).await;
    let mut raw = Raw::open(&server, "/probe/ada").await;
    let message = frame(TEXT, br#"{"type":"echo","ref":1,"data":{"text":"a"}}"#);
    let (first, second) = message.split_at(9);
    let begun = Instant::now();
    raw.send(first).await;
    while begun.elapsed() < TIMEOUT * 2 {
        tokio::time::sleep(PACE).await;
        raw.send(&[second, first].concat()).await;
        assert_eq!(raw.json().await["ref"], 1);
    }
}

#[tokio::test]
async fn a_client_between_messages_may_be_silent() {
    let timeout = PACE * 5;
    let server = start(Transport::Tcp, timeout).await;
    let mut raw = Raw::open(&server, "/probe/ada").await;
    for reference in [1, 2] {
        raw.text(&format!(r#"{{"type":"echo","ref":{reference},"data":{{"text":"a"}}}}"#)).await;
        assert_eq!(raw.json().await["ref"], reference);
        tokio::time::sleep(timeout * 3).await;
    }
    raw.text(r#"{"type":"echo","ref":3,"data":{"text":"a"}}"#).await;
    assert_eq!(raw.json().await["ref"], 3);
}
