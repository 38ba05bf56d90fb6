//! Presence over nodes: announced once, ended once.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::client::Client;
use tests::hub::Hub;
use tests::wait::{until, until_equal};

use crate::{Nodes, join, post};

async fn enter(client: &mut Client) {
    let answer = client.ask("enter", json!({ "group": "g" })).await;
    assert_eq!(answer["type"], "reply", "{answer}");
}

/// Returns the kinds and users of the presence messages before the text `end`.
async fn before_end(client: &mut Client) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        let message = client.next().await;
        match message["type"].as_str() {
            Some("posted") if message["data"]["text"] == "end" => return seen,
            Some(kind @ ("entered" | "gone")) => {
                seen.push(format!("{kind} {}", message["data"]["user"].as_str().expect("a user")));
            }
            _ => {}
        }
    }
}

on_every_backend! {
    async fn a_user_is_announced_once_over_all_nodes(cluster) {
        let nodes = Nodes::of(cluster).await;
        let mut watchers = nodes.clients(2).await;
        for watcher in &mut watchers {
            join(watcher, "g").await;
        }
        let mut ada = [nodes.connect(0, "ada").await, nodes.connect(1, "ada").await, nodes.connect(1, "ada").await];
        for client in &mut ada {
            enter(client).await;
        }
        let [mut first, second, third] = ada;
        // One leaves, one is lost, and another one is still there.
        assert_eq!(first.ask("leave", json!({ "group": "g" })).await["data"]["names"][0], "true");
        drop(second);
        let server = nodes.server(1);
        until("one is gone", async || server.manager.connections_of("ada").await.expect("a list").items.len() == 2).await;
        drop(third);
        let begun = Instant::now();
        for watcher in &mut watchers {
            assert_eq!(watcher.next().await["type"], "entered");
            assert_eq!(watcher.next().await["type"], "gone", "once, when the last one has gone");
        }
        assert!(begun.elapsed() > Duration::from_millis(2500), "after the grace: {:?}", begun.elapsed());
        post(&mut first, json!({ "group": "g", "text": "end" })).await;
        for watcher in &mut watchers {
            assert_eq!(before_end(watcher).await, Vec::<String>::new());
        }
    }

    async fn a_leave_is_announced_at_once_and_a_return_again(cluster) {
        let nodes = Nodes::of(cluster).await;
        let mut watcher = nodes.connect(0, "watcher").await;
        join(&mut watcher, "g").await;
        let mut ada = nodes.connect(1, "ada").await;
        for _ in 0..3 {
            enter(&mut ada).await;
            enter(&mut ada).await;
            ada.ask("leave", json!({ "group": "g" })).await;
        }
        post(&mut ada, json!({ "group": "g", "text": "end" })).await;
        assert_eq!(before_end(&mut watcher).await, ["entered ada", "gone ada"].repeat(3));
        assert_eq!(ada.settle().await.len(), 0, "the user hears nothing of it");
    }

    async fn a_reload_on_another_node_announces_nothing(cluster) {
        let nodes = Nodes::of(cluster).await;
        let mut watcher = nodes.connect(0, "watcher").await;
        join(&mut watcher, "g").await;
        let mut ada = nodes.connect(0, "ada").await;
        enter(&mut ada).await;
        for number in 1..4 {
            drop(ada);
            ada = nodes.connect(number, "ada").await;
            enter(&mut ada).await;
        }
        post(&mut ada, json!({ "group": "g", "text": "end" })).await;
        assert_eq!(before_end(&mut watcher).await, ["entered ada"]);
    }

    async fn present_users_are_counted_once_and_lost_users_not_at_all(cluster) {
        let nodes = Nodes::of(cluster).await;
        let counts = async |number: usize| {
            nodes.server(number).manager.present_counts(["g", "empty"]).await.expect("counts")
        };
        let mut bystander = nodes.connect(0, "bystander").await;
        join(&mut bystander, "g").await;
        let mut ada = [nodes.connect(0, "ada").await, nodes.connect(1, "ada").await];
        let mut bob = nodes.connect(1, "bob").await;
        for client in ada.iter_mut().chain([&mut bob]) {
            enter(client).await;
            enter(client).await;
        }
        for number in 0..2 {
            assert_eq!(counts(number).await, [2, 0], "who only joined is not present");
        }
        bob.ask("leave", json!({ "group": "g" })).await;
        bob.ask("leave", json!({ "group": "g" })).await;
        let [first, second] = ada;
        drop(first);
        assert_eq!(nodes.server(1).manager.present_count("g").await.expect("a count"), 1);
        drop(second);
        until_equal("a lost user is not counted while it may come back", vec![0, 0], async || counts(0).await).await;
        let mut ada = nodes.connect(1, "ada").await;
        enter(&mut ada).await;
        assert_eq!(counts(0).await, [1, 0], "back within the grace");
        drop(ada);
        until_equal("gone again", vec![0, 0], async || counts(1).await).await;
    }

    async fn the_announcements_of_many_users_each_arrive_once(cluster) {
        let nodes = Nodes::of(cluster).await;
        let mut watcher = nodes.connect(0, "watcher").await;
        join(&mut watcher, "g").await;
        let mut clients = nodes.clients(10).await;
        for client in &mut clients {
            client.say("enter", json!({ "group": "g" })).await;
            client.say("leave", json!({ "group": "g" })).await;
        }
        for client in &mut clients {
            client.next_of("names").await;
        }
        let mut seen = Vec::new();
        while seen.len() < 20 {
            let message = watcher.next().await;
            seen.push(format!("{} {}", message["type"], message["data"]["user"]).replace('"', ""));
        }
        post(&mut clients[0], json!({ "group": "g", "text": "end" })).await;
        assert_eq!(before_end(&mut watcher).await, Vec::<String>::new());
        for number in 0..10 {
            let own: Vec<_> = seen.iter().filter(|line| line.ends_with(&format!(" u{number}"))).collect();
            assert_eq!(own, [&format!("entered u{number}"), &format!("gone u{number}")]);
        }
    }
}

/// A handler that is cancelled while it leaves has left nevertheless: no user stays present forever.
#[tokio::test]
async fn a_leave_that_is_cancelled_by_its_deadline_is_announced() {
    let nodes = Nodes::of(&Hub::default()).await;
    let mut watcher = nodes.connect(0, "watcher").await;
    join(&mut watcher, "g").await;
    let mut ada = nodes.connect(1, "ada").await;
    enter(&mut ada).await;
    let answer = ada.ask("leave_hastily", json!({ "group": "g" })).await;
    assert_eq!(answer["data"]["code"], "TIMEOUT", "{answer}");
    assert_eq!(ada.ask("groups", json!({})).await["data"]["names"], json!([]));
    assert_eq!(watcher.next().await["type"], "entered");
    assert_eq!(watcher.next().await["type"], "gone");
}

/// A backend that hangs must not keep a closed connection in the counts.
#[tokio::test]
async fn a_connection_is_removed_even_if_its_presence_cannot_be_ended() {
    let hub = Hub::default();
    let nodes = Nodes::of(&hub).await;
    let mut ada = nodes.connect(0, "ada").await;
    enter(&mut ada).await;
    let held = hub.hold_presence().await;
    drop(ada);
    let manager = &nodes.server(0).manager;
    until("gone", async || manager.stats().connections == 0).await;
    assert!(!manager.is_online("ada").await.expect("an answer"));
    assert_eq!(manager.group_count("g").await.expect("a count"), 0);
    drop(held);
}
