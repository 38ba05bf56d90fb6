//! Presence on one node, under a clock that advances when every task is idle.

use std::time::Duration;

use serde_json::json;
use tests::client::Client;
use tests::inside::Inside;
use tests::room::room;
use tests::server::settings;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::{join, nothing_is_left_in};

/// Serves without sockets: while the system delivers data, every task is idle and the clock would advance.
async fn embedded() -> Inside {
    let mut settings = settings();
    settings.workers = 0;
    let (app, ..) = room(settings);
    Inside::of(app).await
}

async fn connect(server: &Inside, user: &str) -> Client {
    let request = format!("ws://localhost/room/{user}").into_client_request().expect("a request");
    let mut client = Client::over(Box::new(server.reach(None)), request).await.expect("the server lets it in");
    client.settle().await;
    client
}

async fn enter(client: &mut Client) {
    assert_eq!(client.ask("enter", json!({ "group": "g" })).await["type"], "reply");
}

/// Returns the presence messages that have arrived.
async fn seen(client: &mut Client) -> Vec<String> {
    let messages = client.settle().await;
    messages.iter().map(|message| format!("{} {}", message["type"], message["data"]["user"]).replace('"', "")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_lost_user_is_gone_after_three_seconds() {
    let server = embedded().await;
    let mut watcher = connect(&server, "watcher").await;
    join(&mut watcher, "g").await;
    let mut ada = connect(&server, "ada").await;
    enter(&mut ada).await;
    assert_eq!(seen(&mut watcher).await, ["entered ada"]);
    assert_eq!(seen(&mut ada).await, Vec::<String>::new(), "the user is not told of itself");
    drop(ada);
    let begun = Instant::now();
    let gone = watcher.next().await;
    assert_eq!((&gone["type"], &gone["data"]["user"]), (&json!("gone"), &json!("ada")));
    let taken = begun.elapsed();
    assert!((Duration::from_millis(2990)..Duration::from_millis(3200)).contains(&taken), "{taken:?}");
}

#[tokio::test(start_paused = true)]
async fn a_leave_is_announced_at_once_on_all_nodes() {
    let server = embedded().await;
    let mut watcher = connect(&server, "watcher").await;
    join(&mut watcher, "g").await;
    let mut ada = connect(&server, "ada").await;
    enter(&mut ada).await;
    let begun = Instant::now();
    ada.ask("leave", json!({ "group": "g" })).await;
    assert_eq!(seen(&mut watcher).await, ["entered ada", "gone ada"]);
    assert!(begun.elapsed() < Duration::from_millis(500));
}

#[tokio::test(start_paused = true)]
async fn a_reload_within_three_seconds_announces_nothing() {
    let server = embedded().await;
    let mut watcher = connect(&server, "watcher").await;
    join(&mut watcher, "g").await;
    let mut ada = connect(&server, "ada").await;
    enter(&mut ada).await;
    for _ in 0..5 {
        drop(ada);
        tokio::time::sleep(Duration::from_millis(2500)).await;
        ada = connect(&server, "ada").await;
        enter(&mut ada).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(seen(&mut watcher).await, ["entered ada"]);
    ada.close(1001).await;
    tokio::time::sleep(Duration::from_millis(2900)).await;
    assert_eq!(seen(&mut watcher).await, Vec::<String>::new(), "a close is a loss: the page may reload");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(seen(&mut watcher).await, ["gone ada"]);
}

#[tokio::test(start_paused = true)]
async fn only_the_last_connection_of_a_user_takes_the_presence_with_it() {
    let server = embedded().await;
    let mut watcher = connect(&server, "watcher").await;
    join(&mut watcher, "g").await;
    let mut first = connect(&server, "ada").await;
    let mut second = connect(&server, "ada").await;
    enter(&mut first).await;
    enter(&mut second).await;
    enter(&mut second).await;
    drop(first);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(seen(&mut watcher).await, ["entered ada"]);
    second.ask("leave", json!({ "group": "g" })).await;
    assert_eq!(seen(&mut watcher).await, ["gone ada"]);
    enter(&mut second).await;
    assert_eq!(seen(&mut watcher).await, ["entered ada"]);
}

#[tokio::test(start_paused = true)]
async fn an_explicit_leave_during_the_grace_of_another_connection_ends_the_presence_once() {
    let server = embedded().await;
    let mut watcher = connect(&server, "watcher").await;
    join(&mut watcher, "g").await;
    let mut first = connect(&server, "ada").await;
    enter(&mut first).await;
    drop(first);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut second = connect(&server, "ada").await;
    enter(&mut second).await;
    second.ask("leave", json!({ "group": "g" })).await;
    enter(&mut second).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(seen(&mut watcher).await, ["entered ada", "gone ada", "entered ada"]);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_becomes_present_is_announced_then() {
    let server = embedded().await;
    let mut watcher = connect(&server, "watcher").await;
    join(&mut watcher, "g").await;
    let mut ada = connect(&server, "ada").await;
    join(&mut ada, "g").await;
    assert_eq!(seen(&mut watcher).await, Vec::<String>::new());
    enter(&mut ada).await;
    assert_eq!(seen(&mut watcher).await, ["entered ada"]);
    drop((ada, watcher));
    nothing_is_left_in(&server.manager).await;
}
