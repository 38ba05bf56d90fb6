//! Counts and lists over nodes.

use serde_json::json;
use tests::client::Client;
use tests::wait::until_equal;

use crate::{Nodes, join};

on_every_backend! {
    async fn counts_and_lists_cover_every_node(cluster) {
        let nodes = Nodes::of(cluster).await;
        let mut ada = [nodes.connect(0, "ada").await, nodes.connect(1, "ada").await];
        let mut bob = nodes.connect(1, "bob").await;
        for client in ada.iter_mut().chain([&mut bob]) {
            join(client, "g").await;
        }
        for node in &nodes.0 {
            let manager = &node.server.manager;
            until_equal("connections in the group", 3, async || manager.group_count("g").await.expect("a count")).await;
            until_equal("users", 2, async || manager.online_count().await.expect("a count")).await;
            let members = manager.group_members("g").await.expect("a list");
            assert!(members.complete);
            assert_eq!(members.items, ["ada", "bob"], "each user once");
            assert!(manager.is_online("ada").await.expect("an answer"));
            assert!(!manager.is_online("eve").await.expect("an answer"));
            assert_eq!(manager.connections_of("ada").await.expect("a list").items.len(), 2);
            assert_eq!(manager.connections_of("eve").await.expect("a list").items, []);
            assert_eq!(manager.group_count("empty").await.expect("a count"), 0);
            assert_eq!(manager.group_members("empty").await.expect("a list").items.len(), 0);
        }
        let mut ids = Vec::new();
        for client in &mut ada {
            ids.push(client.ask("me", json!({})).await["data"]["names"][0].as_str().expect("an id").to_owned());
        }
        ids.sort();
        let listed = nodes.server(0).manager.connections_of("ada").await.expect("a list").items;
        assert_eq!(listed.iter().map(ToString::to_string).collect::<Vec<_>>(), ids);

        let [first, second] = ada;
        drop(first);
        for node in &nodes.0 {
            let manager = &node.server.manager;
            until_equal("connections", 2, async || manager.group_count("g").await.expect("a count")).await;
            assert!(manager.is_online("ada").await.expect("an answer"), "one connection is left");
        }
        drop(second);
        drop(bob);
        for node in &nodes.0 {
            let manager = &node.server.manager;
            until_equal("users", 0, async || manager.online_count().await.expect("a count")).await;
            until_equal("connections", 0, async || manager.group_count("g").await.expect("a count")).await;
            until_equal("ada", false, async || manager.is_online("ada").await.expect("an answer")).await;
        }
    }

    async fn a_user_is_disconnected_everywhere_with_4401(cluster) {
        let nodes = Nodes::of(cluster).await;
        let mut ada = [nodes.connect(0, "ada").await, nodes.connect(1, "ada").await];
        let mut bob = nodes.connect(1, "bob").await;
        assert_eq!(nodes.server(0).manager.disconnect_user("ada").await.expect("a count").connections, 2);
        for client in &mut ada {
            let (_, closed) = client.closed().await;
            assert_eq!(closed.code, Some(4401));
            assert_eq!(closed.json()["code"], "UNAUTHENTICATED");
        }
        assert_eq!(bob.settle().await.len(), 0, "nobody else is");
        assert_eq!(nodes.server(1).manager.disconnect_user("nobody").await.expect("a count").connections, 0);
        until_equal("users", 1, async || nodes.server(0).manager.online_count().await.expect("a count")).await;
    }

    // The last recorded count of a user or a group must be the current one, in whatever order the workers record it.
    async fn counts_are_right_after_many_workers_have_changed_them_at_once(cluster) {
        let mut settings = tests::server::settings();
        settings.workers = 4;
        let nodes = Nodes::with(cluster, settings).await;
        let mut clients: Vec<Client> = Vec::new();
        for number in 0..16 {
            clients.push(nodes.connect(number, "ada").await);
        }
        for round in 0..15 {
            for client in &mut clients {
                client.say("join", json!({ "group": "g" })).await;
            }
            for client in &mut clients {
                client.next_of("names").await;
            }
            let manager = &nodes.server(round).manager;
            until_equal("members", 16, async || manager.group_count("g").await.expect("a count")).await;
            for client in &mut clients {
                client.say("leave", json!({ "group": "g" })).await;
            }
            for client in &mut clients {
                client.next_of("names").await;
            }
            until_equal("members", 0, async || manager.group_count("g").await.expect("a count")).await;
        }
        drop(clients);
        until_equal("users", 0, async || nodes.server(0).manager.online_count().await.expect("a count")).await;
    }
}
