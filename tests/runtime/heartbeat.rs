//! Silent clients are closed; live clients are not.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::raw::{PING, PONG, Raw, frame};
use tests::room::{Gate, Journal, room};
use tests::server::{Server, settings};
use tests::wait::until;

use crate::nothing_is_left;

const INTERVAL: Duration = Duration::from_millis(200);
/// Long compared to the delays of a busy machine, so that a live client never counts as silent.
const TIMEOUT: Duration = Duration::from_millis(1500);

async fn start() -> (Server, Journal, Gate) {
    let mut settings = settings();
    (settings.ws_heartbeat_interval, settings.ws_heartbeat_timeout) = (INTERVAL, TIMEOUT);
    let (app, journal, gate) = room(settings);
    (Server::start(app).await, journal, gate)
}

/// Returns the next message, and skips pings.
async fn after_pings(raw: &mut Raw) -> Value {
    loop {
        let frame = raw.frame().await.expect("a frame");
        if frame.first != PING {
            return frame.json();
        }
    }
}

#[tokio::test]
async fn a_client_that_answers_pings_stays() {
    let (server, journal, _) = start().await;
    let mut raw = Raw::open(&server, "/room/ada").await;
    let begun = Instant::now();
    let mut pings = 0;
    while begun.elapsed() < TIMEOUT * 3 {
        let ping = raw.frame().await.expect("a ping");
        assert_eq!((ping.first, ping.payload.len()), (PING, 0));
        raw.send(&frame(PONG, b"")).await;
        pings += 1;
    }
    assert!(pings >= 3, "{pings} pings in {:?}", begun.elapsed());
    assert_eq!((journal.count("disconnected ada"), server.manager.stats().connections), (0, 1));
}

#[tokio::test]
async fn a_silent_client_is_closed_with_4408_and_leaves_nothing() {
    let (server, journal, _) = start().await;
    let mut raw = Raw::open(&server, "/room/ada?connect=join:g").await;
    let (code, reason) = raw.closed().await;
    let reason: Value = serde_json::from_str(&reason).expect("JSON");
    assert_eq!((code, &reason["code"]), (4408, &json!("HEARTBEAT_LOST")));
    until("its hook ran", async || journal.count("disconnect ada 4408") == 1).await;
    nothing_is_left(&server).await;
    assert_eq!(server.manager.stats().heartbeats_lost, 1);
}

#[tokio::test]
async fn any_message_is_a_sign_of_life() {
    let (server, journal, _) = start().await;
    let mut raw = Raw::open(&server, "/room/ada").await;
    let begun = Instant::now();
    while begun.elapsed() < TIMEOUT * 3 {
        raw.text(r#"{"type":"me"}"#).await;
        tokio::time::sleep(INTERVAL / 4).await;
    }
    raw.text(r#"{"type":"me","ref":1}"#).await;
    while after_pings(&mut raw).await["ref"] != 1 {}
    assert_eq!(journal.count("disconnected ada"), 0);
}

/// A client is not silent while the server does not read its messages.
#[tokio::test]
async fn a_client_whose_handler_runs_is_not_silent() {
    let (server, journal, gate) = start().await;
    let mut raw = Raw::open(&server, "/room/ada").await;
    raw.text(r#"{"type":"wait"}"#).await;
    // One more message is read ahead; after that, nothing is read.
    raw.text(r#"{"type":"me","ref":1}"#).await;
    until("the handler runs", async || journal.count("wait begins") == 1).await;
    tokio::time::sleep(TIMEOUT * 3).await;
    assert_eq!(journal.count("disconnected ada"), 0);
    gate.open(1);
    assert_eq!(after_pings(&mut raw).await["ref"], 1);
}

#[tokio::test]
async fn without_a_heartbeat_nobody_is_pinged_or_closed() {
    let mut settings = settings();
    settings.ws_enable_heartbeat = false;
    (settings.ws_heartbeat_interval, settings.ws_heartbeat_timeout) = (INTERVAL, TIMEOUT);
    let (app, journal, _) = room(settings);
    let server = Server::start(app).await;
    let mut raw = Raw::open(&server, "/room/ada").await;
    tokio::time::sleep(TIMEOUT * 3).await;
    raw.text(r#"{"type":"me","ref":1}"#).await;
    assert_eq!(raw.json().await["ref"], 1, "nothing came before");
    assert_eq!(journal.count("disconnected ada"), 0);
}

/// Clients that connected together are not pinged together.
#[tokio::test]
async fn pings_are_spread_over_the_interval() {
    let mut settings = settings();
    settings.ws_heartbeat_interval = Duration::from_secs(2);
    let (app, ..) = room(settings);
    let server = Server::start(app).await;
    let mut waiting = Vec::new();
    for number in 0..40 {
        let mut raw = Raw::open(&server, &format!("/room/u{number}")).await;
        waiting.push(tokio::spawn(async move {
            let ping = raw.frame().await.expect("a ping");
            assert_eq!(ping.first, PING);
            Instant::now()
        }));
    }
    let mut times = Vec::new();
    for ping in waiting {
        times.push(ping.await.expect("no panic"));
    }
    times.sort_unstable();
    assert!(times[39] - times[0] >= Duration::from_millis(800), "{:?}", times[39] - times[0]);
}

#[tokio::test]
async fn the_welcome_announces_the_ping_interval() {
    let (server, ..) = start().await;
    let mut client =
        tests::client::Client::offer(&server, "/room/ada", &["agentcore.v1.json"]).await.expect("a connection");
    assert_eq!(client.next_of("agentcore.welcome").await["data"]["heartbeat_ms"], 200);
}

#[tokio::test]
async fn the_welcome_names_the_node_and_the_reconnect_policy() {
    let mut settings = settings();
    settings.server_instance_id = Some("node-7".parse().expect("a name"));
    (settings.ws_reconnect_max_attempts, settings.ws_reconnect_delay) = (7, Duration::from_millis(2500));
    let (app, ..) = room(settings);
    let server = Server::start(app).await;
    let mut client =
        tests::client::Client::offer(&server, "/room/ada", &["agentcore.v1.json"]).await.expect("a connection");
    let data = client.next_of("agentcore.welcome").await["data"].clone();
    assert_eq!(data["node"], "node-7");
    assert_eq!(data["reconnect"], json!({ "max_attempts": 7, "delay_ms": 2500 }));
    assert_eq!(tests::http::get(&server, "/health").await.json()["node"], "node-7");
}
