//! Messages over nodes: recipients, order, and the moment from which they arrive.

use std::time::Duration;

use serde_json::{Value, json};
use tests::room::Posted;
use tests::wait::soon;

use crate::{Nodes, join, post, texts_before};

on_every_backend! {
    async fn a_group_message_reaches_every_member_on_every_node_once(cluster) {
        let nodes = Nodes::of(cluster).await;
        let mut clients = nodes.clients(5).await;
        for client in &mut clients[..4] {
            join(client, "g").await;
        }
        for (number, client) in clients.iter_mut().enumerate() {
            post(client, json!({ "group": "g", "text": number })).await;
        }
        for sender in [0, 1] {
            post(&mut clients[sender], json!({ "text": "end" })).await;
        }
        for (number, client) in clients.iter_mut().enumerate() {
            // Each of the two nodes sends an end message; the messages of a node precede its own.
            let mut texts = texts_before(client, "end").await;
            texts.extend(texts_before(client, "end").await);
            texts.sort_by_key(|(_, text)| text.as_u64());
            let expected: Vec<_> = (0..5).map(|from| (format!("u{from}"), json!(from))).collect();
            assert_eq!(texts, if number < 4 { expected } else { Vec::new() }, "client {number}");
        }
    }

    async fn a_user_message_reaches_all_connections_of_the_user_on_every_node(cluster) {
        let nodes = Nodes::of(cluster).await;
        let mut ada = [nodes.connect(0, "ada").await, nodes.connect(1, "ada").await, nodes.connect(1, "ada").await];
        let mut bob = nodes.connect(0, "bob").await;
        post(&mut bob, json!({ "user": "ada", "text": 1 })).await;
        post(&mut bob, json!({ "user": "nobody", "text": 2 })).await;
        post(&mut bob, json!({ "text": "end" })).await;
        for client in &mut ada {
            assert_eq!(texts_before(client, "end").await, [("bob".to_owned(), json!(1))]);
        }
        assert_eq!(texts_before(&mut bob, "end").await, []);
        post(&mut ada[1], json!({ "user": "ada", "except_self": true, "text": 3 })).await;
        post(&mut ada[1], json!({ "text": "end" })).await;
        for (number, client) in ada.iter_mut().enumerate() {
            let expected = if number == 1 { vec![] } else { vec![("ada".to_owned(), json!(3))] };
            assert_eq!(texts_before(client, "end").await, expected, "{number}");
        }
    }

    async fn a_confirmed_message_may_wait_for_ever(cluster) {
        let nodes = Nodes::of(cluster).await;
        let _ada = [nodes.connect(0, "ada").await, nodes.connect(1, "ada").await];
        let (ada, message) = (nodes.server(0).manager.user("ada"), Posted::new("test", "hello"));
        let confirmed = soon("the counts", ada.send_confirmed(&message, Duration::MAX)).await.expect("sent");
        assert_eq!((confirmed.delivered, confirmed.complete), (2, true));
    }

    async fn a_message_to_a_connection_reaches_it_alone_on_whichever_node(cluster) {
        let nodes = Nodes::of(cluster).await;
        let mut ada = [nodes.connect(0, "ada").await, nodes.connect(1, "ada").await];
        let mut bob = nodes.connect(0, "bob").await;
        for target in 0..2 {
            let id = ada[target].ask("me", json!({})).await["data"]["names"][0].clone();
            post(&mut bob, json!({ "connection": id, "text": target })).await;
            post(&mut bob, json!({ "text": "end" })).await;
            for (number, client) in ada.iter_mut().enumerate() {
                let expected = if number == target { vec![("bob".to_owned(), json!(target))] } else { vec![] };
                assert_eq!(texts_before(client, "end").await, expected);
            }
        }
        let gone = nodes.connect(1, "gone").await.ask("me", json!({})).await["data"]["names"][0].clone();
        post(&mut bob, json!({ "connection": gone, "text": 1 })).await;
        post(&mut bob, json!({ "connection": "0000000000000000-1", "text": 1 })).await;
    }

    async fn a_message_to_everyone_reaches_every_node(cluster) {
        let nodes = Nodes::of(cluster).await;
        let mut clients = nodes.clients(4).await;
        post(&mut clients[0], json!({ "text": 1 })).await;
        post(&mut clients[0], json!({ "text": 2, "except_self": true })).await;
        post(&mut clients[0], json!({ "text": 3, "except_user": "u1" })).await;
        post(&mut clients[0], json!({ "text": 4, "except_user": "u1", "except_self": true })).await;
        post(&mut clients[0], json!({ "text": "end" })).await;
        for (number, client) in clients.iter_mut().enumerate() {
            let got: Vec<_> = texts_before(client, "end").await.into_iter().map(|(_, text)| text).collect();
            let expected: Vec<Value> = match number {
                0 => vec![json!(1), json!(3)],
                1 => vec![json!(1), json!(2)],
                _ => vec![json!(1), json!(2), json!(3), json!(4)],
            };
            assert_eq!(got, expected, "client {number}");
        }
    }

    async fn exclusions_apply_on_other_nodes_too(cluster) {
        let nodes = Nodes::of(cluster).await;
        let mut ada = [nodes.connect(0, "ada").await, nodes.connect(1, "ada").await];
        let mut bob = [nodes.connect(0, "bob").await, nodes.connect(1, "bob").await];
        for client in ada.iter_mut().chain(&mut bob) {
            join(client, "g").await;
        }
        post(&mut ada[1], json!({ "group": "g", "text": 1, "except_self": true })).await;
        post(&mut ada[1], json!({ "group": "g", "text": 2, "except_user": "ada" })).await;
        post(&mut ada[1], json!({ "group": "g", "text": 3, "except_user": "bob" })).await;
        post(&mut ada[1], json!({ "group": "g", "text": "end" })).await;
        let [other_of_ada, sender] = &mut ada;
        let [one_of_bob, other_of_bob] = &mut bob;
        for (client, expected) in [(other_of_ada, [1, 3]), (one_of_bob, [1, 2]), (other_of_bob, [1, 2])] {
            let got: Vec<_> = texts_before(client, "end").await.into_iter().map(|(_, text)| text).collect();
            assert_eq!(got, expected.into_iter().map(Value::from).collect::<Vec<_>>());
        }
        assert_eq!(texts_before(sender, "end").await, [("ada".to_owned(), json!(3))]);
    }

    async fn messages_of_one_sender_arrive_in_order_and_once(cluster) {
        let nodes = Nodes::of(cluster).await;
        let mut receivers = [nodes.connect(0, "r").await, nodes.connect(1, "r").await];
        for receiver in &mut receivers {
            join(receiver, "g").await;
        }
        let rounds = 50_u64;
        let mut senders = nodes.clients(4).await;
        for round in 0..rounds {
            for sender in &mut senders {
                sender.say("mixture", json!({ "group": "g", "user": "r", "text": round * 6 })).await;
            }
        }
        for receiver in &mut receivers {
            let mut next = std::collections::HashMap::<String, u64>::new();
            for _ in 0..rounds * 6 * 4 {
                let message = receiver.next_of("posted").await;
                let from = message["data"]["from"].as_str().expect("a sender").to_owned();
                let expected = next.entry(from.clone()).or_default();
                assert_eq!(message["data"]["text"], *expected, "from {from}");
                *expected += 1;
            }
            post(&mut senders[0], json!({ "user": "r", "text": "end" })).await;
            assert_eq!(texts_before(receiver, "end").await, []);
        }
    }

    async fn a_join_that_has_returned_holds_for_every_later_send(cluster) {
        let nodes = Nodes::of(cluster).await;
        let mut clients = nodes.clients(2).await;
        for round in 0..20 {
            let group = format!("g{}", round % 3);
            let [receiver, sender] = clients.get_disjoint_mut([round % 2, (round + 1) % 2]).expect("two clients");
            join(receiver, &group).await;
            post(sender, json!({ "group": group, "text": round })).await;
            assert_eq!(receiver.next_of("posted").await["data"]["text"], round);
            let left = receiver.ask("leave", json!({ "group": group })).await;
            assert_eq!(left["data"]["names"][0], "true");
            // A message sent after the leave does not arrive, whatever the state of the group's subscription.
            post(sender, json!({ "group": group, "text": "too late" })).await;
            post(sender, json!({ "text": "end" })).await;
            assert_eq!(texts_before(receiver, "end").await, []);
            texts_before(sender, "end").await;
        }
    }

    async fn joiners_of_one_group_at_the_same_time_all_get_what_follows(cluster) {
        let nodes = Nodes::of(cluster).await;
        let mut sender = nodes.connect(0, "sender").await;
        for round in 0..5 {
            let group = format!("g{round}");
            let mut clients = nodes.clients(8).await;
            for client in &mut clients {
                client.say("join", json!({ "group": group })).await;
            }
            for client in &mut clients {
                client.next_of("names").await;
            }
            post(&mut sender, json!({ "group": group, "text": round })).await;
            for client in &mut clients {
                assert_eq!(client.next_of("posted").await["data"]["text"], round);
            }
        }
    }
}
