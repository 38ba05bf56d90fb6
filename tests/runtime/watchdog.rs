//! Handlers that block their worker are named: while it lasts, and afterwards.

use std::time::Duration;

use agentcore::prelude::*;
use serde_json::json;
use tests::client::Client;
use tests::http;
use tests::log::Log;
use tests::room::{Journal, room};
use tests::server::{Server, settings};
use tests::wait::until;

use crate::connect;

/// Blocks the thread, as a handler must not.
#[consumer(path = "/sleeper")]
struct Sleeper {
    #[state]
    journal: Journal,
}

#[consumer]
impl Sleeper {
    #[on("nap")]
    async fn takes_a_nap(&mut self) {
        std::thread::sleep(Duration::from_millis(300));
    }

    #[on("sleep")]
    async fn sleeps_for_ever(&mut self) {
        self.journal.note("sleeps");
        loop {
            std::thread::park();
        }
    }
}

async fn sleeper(workers: usize) -> (Server, Journal) {
    let mut settings = settings();
    settings.workers = workers;
    let journal = Journal::default();
    let app = AgentCore::new(settings).state(journal.clone()).consumer::<Sleeper>();
    (Server::start(app).await, journal)
}

/// Returns how often a handler was counted.
async fn held(server: &Server, consumer: &str, handler: &str) -> u64 {
    let series = format!(r#"agentcore_worker_blocked_total{{consumer="{consumer}",handler="{handler}"}}"#);
    let text = http::get(server, "/metrics").await.body;
    let line = text.lines().find_map(|line| line.strip_prefix(&series)).unwrap_or_else(|| panic!("{series}: {text}"));
    line.trim().parse().expect("a number")
}

fn says(lines: &[String], handler: &str) {
    assert_eq!(lines.len(), 1, "once: {lines:?}");
    for part in ["WARN", "blocks its worker", "consumer=\"Sleeper\"", handler, "blocked_ms=", "spawn_blocking"] {
        assert!(lines[0].contains(part), "`{part}` is not in {}", lines[0]);
    }
}

#[tokio::test]
async fn a_handler_that_blocks_its_worker_is_logged_and_counted() {
    let log = Log::warnings();
    for workers in [0, 1] {
        let (server, _) = sleeper(workers).await;
        let mut client = Client::connect(&server, "/sleeper").await;
        let before = log.lines_with("takes_a_nap").len();
        client.ask("nap", json!({})).await;
        until("it is counted", async || held(&server, "Sleeper", "takes_a_nap").await > 0).await;
        assert_eq!(held(&server, "Sleeper", "takes_a_nap").await, 1, "once, whoever notices first");
        until("it is named", async || log.lines_with("takes_a_nap").len() > before).await;
        says(&log.lines_with("takes_a_nap")[before..], "takes_a_nap");
    }
}

#[tokio::test]
async fn a_handler_that_blocks_forever_is_logged_while_it_blocks() {
    let log = Log::warnings();
    let (server, journal) = sleeper(1).await;
    let mut client = Client::connect(&server, "/sleeper").await;
    client.say("sleep", json!({})).await;
    until("the handler runs", async || journal.count("sleeps") == 1).await;
    until("it is named", async || !log.lines_with("sleeps_for_ever").is_empty()).await;
    assert_eq!(held(&server, "Sleeper", "sleeps_for_ever").await, 1);
    says(&log.lines_with("sleeps_for_ever"), "sleeps_for_ever");
}

/// Other handlers wait for their turn, but do not block anything.
#[tokio::test]
async fn a_handler_that_awaits_for_long_does_not_block_its_worker() {
    let mut settings = settings();
    settings.workers = 1;
    let (app, journal, gate) = room(settings);
    let server = Server::start(app).await;
    let mut ada = connect(&server, "ada").await;
    let mut bob = connect(&server, "bob").await;
    ada.say("wait", json!({})).await;
    until("the handler runs", async || journal.count("wait begins") == 1).await;
    bob.ask("block", json!({ "text": 300 })).await;
    gate.open(1);
    until("it ends", async || journal.count("wait ends") == 1).await;
    until("it is counted", async || held(&server, "Room", "block").await == 1).await;
    assert_eq!(held(&server, "Room", "wait").await, 0);
}
