//! `/health`, background tasks that panic, and the statistics in the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use agentcore::prelude::*;
use serde_json::Value;
use tests::http;
use tests::log::Log;
use tests::room::room;
use tests::server::{Server, settings};
use tests::wait::{until, until_equal};
use tracing::Level;

async fn task(server: &Server, name: &str) -> Option<Value> {
    let health = http::get(server, "/health").await;
    assert_eq!(health.status, 200, "whatever a task does, the process lives");
    let tasks = health.json()["tasks"].as_array().cloned().expect("a list");
    tasks.into_iter().find(|task| task["name"] == name)
}

#[tokio::test]
async fn a_background_task_that_panics_is_restarted_and_shows_in_health() {
    let (log, _guard) = Log::capture(Level::ERROR);
    let (app, ..) = room(settings());
    let server = Server::start(app).await;
    let health = http::get(&server, "/health").await.json();
    assert_eq!(health["status"], "ok", "{health}");
    for name in ["memory.leaves", "writer.0", "writer.1"] {
        let listed = task(&server, name).await.unwrap_or_else(|| panic!("{name} is not in {health}"));
        assert_eq!((&listed["state"], &listed["restarts"]), (&"running".into(), &0.into()));
    }
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    server.manager.supervisor().spawn("mine", move || {
        let run = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            assert!(run >= 2, "swordfish\nis the password");
            std::future::pending::<()>().await;
        }
    });
    until_equal("the runs", 3, async || runs.load(Ordering::SeqCst)).await;
    until("it runs", async || task(&server, "mine").await.is_some_and(|task| task["state"] == "recovering")).await;
    let answer = http::get(&server, "/health").await;
    assert_eq!(answer.json()["status"], "degraded");
    assert!(!answer.body.contains("swordfish"), "no internals: {}", answer.body);
    assert_eq!(task(&server, "mine").await.expect("listed")["restarts"], 2);
    let metrics = http::get(&server, "/metrics").await.body;
    assert!(metrics.contains("agentcore_task_restarts_total{task=\"mine\"} 2"), "{metrics}");
    let lines = log.lines_with("background task panicked");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().all(|line| line.contains("error_id=") && line.contains("task=mine")), "{lines:?}");
}

#[tokio::test]
async fn a_node_without_a_configured_name_generates_one() {
    let mut names = Vec::new();
    for _ in 0..2 {
        let (app, ..) = room(settings());
        let server = Server::start(app).await;
        let name = http::get(&server, "/health").await.json()["node"].clone();
        assert_eq!(name, server.manager.node().as_str());
        assert_ne!(name, "");
        names.push(name);
    }
    assert_ne!(names[0], names[1]);
}

#[tokio::test]
async fn a_finished_task_is_no_longer_listed() {
    let (app, ..) = room(settings());
    let server = Server::start(app).await;
    server.manager.supervisor().spawn("short", || async {});
    until("it is gone", async || task(&server, "short").await.is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn the_statistics_are_logged_once_a_minute_if_configured() {
    for (set, expected) in [(false, 0), (true, 3)] {
        let (log, _guard) = Log::capture(Level::INFO);
        let mut settings = settings();
        settings.workers = 0;
        settings.log_stats = set;
        let (app, ..) = room(settings);
        let app = app.build().await.expect("an application");
        tokio::time::sleep(Duration::from_secs(185)).await;
        let lines = log.lines_with("statistics");
        assert_eq!(lines.len(), expected, "{lines:?}");
        assert!(lines.iter().all(|line| line.contains("connections=0") && line.contains("messages_in=0")), "{lines:?}");
        drop(app);
    }
}

#[tokio::test]
async fn the_statistics_count_messages_and_connections() {
    let (app, ..) = room(settings());
    let server = Server::start(app).await;
    let mut ada = crate::connect(&server, "ada").await;
    let before = server.manager.stats();
    for _ in 0..10 {
        ada.ask("me", serde_json::json!({})).await;
    }
    let stats = server.manager.stats();
    assert_eq!((stats.connections, stats.users, stats.connections_opened), (1, 1, 1));
    assert_eq!((stats.messages_in - before.messages_in, stats.messages_out - before.messages_out), (10, 10));
    assert!(stats.bytes_in > before.bytes_in && stats.bytes_out > before.bytes_out);
    let _: &Settings = server.manager.settings();
}
