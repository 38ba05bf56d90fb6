//! Limits over nodes: exact for simultaneous connections, and nothing is left behind.

use std::sync::Arc;

use serde_json::json;
use tests::client::Client;
use tests::hub::Hub;
use tests::raw::{Raw, handshake};
use tests::server::settings;
use tests::wait::{until, until_equal};
use tokio_tungstenite::tungstenite::Error;

use crate::{Nodes, join};

/// Connects clients at once; returns the admitted ones, and the statuses of the others.
async fn rush(nodes: &Arc<Nodes>, count: usize, user: impl Fn(usize) -> String) -> (Vec<Client>, Vec<u16>) {
    let rushing: Vec<_> = (0..count)
        .map(|number| {
            let (nodes, path) = (nodes.clone(), format!("/room/{}", user(number)));
            tokio::spawn(async move { Client::offer(nodes.server(number), &path, &[]).await })
        })
        .collect();
    let (mut clients, mut refused) = (Vec::new(), Vec::new());
    for task in rushing {
        match task.await.expect("no panic").map_err(|error| *error) {
            Ok(client) => clients.push(client),
            Err(Error::Http(response)) => refused.push(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }
    (clients, refused)
}

on_every_backend! {
    async fn the_total_is_exact_however_many_come_at_once(cluster) {
        let mut settings = settings();
        settings.max_total_connections = 10;
        let nodes = Arc::new(Nodes::with(cluster, settings).await);
        for _ in 0..3 {
            let (mut clients, refused) = rush(&nodes, 60, |number| format!("u{number}")).await;
            assert_eq!((clients.len(), refused), (10, vec![503; 50]));
            for client in &mut clients {
                client.settle().await;
            }
            let held: usize = nodes.0.iter().map(|node| node.server.manager.stats().connections).sum();
            assert_eq!(held, 10);
            drop(clients);
            until("all have gone", async || {
                nodes.0.iter().all(|node| node.server.manager.stats().connections == 0)
                    && Client::offer(nodes.server(0), "/room/probe", &[]).await.is_ok()
            })
            .await;
            until("the probe has gone", async || nodes.0[0].server.manager.stats().connections == 0).await;
            // The probe's admission is released a moment after the connection has ended.
            until("ten places", async || {
                let (clients, _) = rush(&nodes, 10, |number| format!("u{number}")).await;
                clients.len() == 10
            })
            .await;
            until("all have gone", async || nodes.0.iter().all(|node| node.server.manager.stats().connections == 0)).await;
        }
    }

    async fn one_user_gets_no_more_than_its_share(cluster) {
        let mut settings = settings();
        settings.max_connections_per_client = 3;
        let nodes = Arc::new(Nodes::with(cluster, settings).await);
        let (mut clients, refused) = rush(&nodes, 20, |_| "ada".to_owned()).await;
        assert_eq!((clients.len(), refused), (3, vec![429; 17]));
        for client in &mut clients {
            client.settle().await;
        }
        assert!(Client::offer(nodes.server(1), "/room/bob", &[]).await.is_ok(), "others are not concerned");
        let connects: usize = nodes.0.iter().map(|node| node.journal.count("connect ada")).sum();
        assert_eq!(connects, 3, "a refused one leaves nothing behind");
    }

    async fn one_address_gets_no_more_than_its_share(cluster) {
        let mut settings = settings();
        settings.max_connections_per_ip = 3;
        let nodes = Arc::new(Nodes::with(cluster, settings).await);
        // All clients of a test connect from the same address.
        let (mut clients, refused) = rush(&nodes, 20, |number| format!("u{number}")).await;
        assert_eq!((clients.len(), refused), (3, vec![429; 17]));
        for client in &mut clients {
            client.settle().await;
        }
        drop(clients);
        until("the places are free again", async || {
            let (mut clients, _) = rush(&nodes, 3, |number| format!("v{number}")).await;
            for client in &mut clients {
                client.settle().await;
            }
            clients.len() == 3
        })
        .await;
    }

    async fn the_total_of_groups_is_limited_and_counted_per_node(cluster) {
        let mut settings = settings();
        settings.max_total_groups = 2;
        let nodes = Nodes::with(cluster, settings).await;
        let several = nodes.0.len() > 1;
        let (mut ada, mut bob) = (nodes.connect(0, "ada").await, nodes.connect(1, "bob").await);
        join(&mut ada, "a").await;
        join(&mut bob, "a").await;
        // One group admission on one node, two on two nodes.
        let answer = ada.ask("join", json!({ "group": "b" })).await;
        assert_eq!(answer["type"], if several { "error" } else { "reply" }, "{answer}");
        let answer = bob.ask("join", json!({ "group": "c" })).await;
        assert_eq!((&answer["type"], &answer["data"]["code"]), (&json!("error"), &json!("LIMIT_EXCEEDED")));
        // A connection that ends makes room, however it ends.
        drop(ada);
        until("a place", async || bob.ask("join", json!({ "group": "c" })).await["type"] == "reply").await;
        for name in ["a", "c"] {
            bob.ask("leave", json!({ "group": name })).await;
        }
        for name in ["x", "y"] {
            join(&mut bob, name).await;
        }
    }
}

/// The admission of a client that disappears while the backend decides is released.
#[tokio::test]
async fn a_client_that_disappears_while_it_is_admitted_holds_no_admission() {
    let hub = Hub::default();
    let nodes = Nodes::of(&hub).await;
    for pause in [0, 1, 5, 10, 12, 15, 20, 25] {
        let mut raws = Vec::new();
        for number in 0..10 {
            let mut raw = Raw::reach(nodes.server(number)).await;
            raw.send(handshake(&format!("/room/u{number}")).as_bytes()).await;
            raws.push(raw);
        }
        tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
        drop(raws);
    }
    // A client that stays: admitted after all others were decided on.
    let mut client = nodes.connect(0, "ada").await;
    client.settle().await;
    until_equal("places", 1, async || hub.admitted()).await;
    until_equal("users", 1, async || nodes.server(1).manager.online_count().await.expect("a count")).await;
}
