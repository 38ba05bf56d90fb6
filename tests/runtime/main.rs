//! Connections of a server: groups, presence, faults, limits, slow readers, start and stop.
#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test stops where it fails")]

use agentcore::ConnectionManager;
use serde_json::{Value, json};
use tests::client::Client;
use tests::room::{Gate, Journal, room};
use tests::server::{Server, settings};
use tests::wait::until;

mod codecs;
mod connections;
mod draining;
mod faults;
mod groups;
mod health;
mod heartbeat;
mod hooks;
mod http_connections;
mod limits;
mod log_reader;
mod metrics;
mod order;
mod presence;
mod process;
mod reading;
mod rest;
mod slow;
mod startup;
mod stopping;
mod tasks;
mod watchdog;

async fn start() -> (Server, Journal, Gate) {
    let (app, journal, gate) = room(settings());
    (Server::start(app).await, journal, gate)
}

async fn connect(server: &Server, user: &str) -> Client {
    let mut client = Client::connect(server, &format!("/room/{user}")).await;
    client.settle().await;
    client
}

async fn join(client: &mut Client, group: &str) {
    let answer = client.ask("join", json!({ "group": group })).await;
    assert_eq!(answer["data"]["names"][0], "true", "{answer}");
}

/// Posts, and waits until the message has been sent to everyone.
async fn post(client: &mut Client, to: Value) {
    let answer = client.ask("post", to).await;
    assert_eq!(answer["type"], "reply", "{answer}");
}

/// Returns the texts that have arrived so far.
async fn texts(client: &mut Client) -> Vec<Value> {
    client
        .settle()
        .await
        .iter()
        .filter(|message| message["type"] == "posted")
        .map(|m| m["data"]["text"].clone())
        .collect()
}

/// Waits until no connection of a server is left, and checks that no trace of one remains.
async fn nothing_is_left(server: &Server) {
    nothing_is_left_in(&server.manager).await;
}

async fn nothing_is_left_in(manager: &ConnectionManager) {
    until("all connections are gone", async || manager.stats().connections == 0).await;
    let stats = manager.stats();
    assert_eq!((stats.users, stats.groups), (0, 0), "{stats:?}");
    assert_eq!(manager.online_count().await.expect("a count"), 0);
}
