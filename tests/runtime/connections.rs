//! Information about connections, and operations on them from outside.

use std::time::Duration;

use serde_json::json;

use crate::{connect, join, post, start, texts};

#[tokio::test]
async fn a_connection_is_described() {
    let (server, ..) = start().await;
    let mut ada = connect(&server, "ada").await;
    join(&mut ada, "a").await;
    join(&mut ada, "b").await;
    let id = ada.ask("me", json!({})).await["data"]["names"][0].as_str().expect("an id").parse().expect("an id");
    let before = server.manager.connection_info(id).expect("it is there");
    assert_eq!((before.id, before.user_id.as_str()), (id, "ada"));
    assert_eq!(before.groups, ["a", "b"]);
    assert!(before.connected_at <= before.last_activity);
    post(&mut ada, json!({ "group": "a", "text": "x".repeat(1000) })).await;
    let after = server.manager.connection_info(id).expect("it is there");
    assert_eq!(after.messages_in, before.messages_in + 1);
    assert!(after.bytes_in > before.bytes_in + 1000, "{after:?}");
    // Its own copy, and the reply.
    assert_eq!(after.messages_out, before.messages_out + 2);
    assert!(after.bytes_out > before.bytes_out + 1000, "{after:?}");
    assert!(serde_json::to_value(&after).expect("JSON")["groups"].is_array());
    drop(ada);
    tests::wait::until("it is gone", async || server.manager.connection_info(id).is_none()).await;
}

#[tokio::test]
async fn connections_are_checked_in_batches() {
    let (server, ..) = start().await;
    let mut clients = Vec::new();
    for number in 0..25 {
        clients.push(connect(&server, &format!("u{number}")).await);
    }
    let (mut batches, mut sizes, mut users) = (server.manager.batches(10), Vec::new(), Vec::new());
    while let Some(batch) = batches.next().await {
        sizes.push(batch.len());
        users.extend(batch.into_iter().map(|connection| connection.user_id.to_string()));
    }
    users.sort_unstable();
    let mut expected: Vec<_> = (0..25).map(|number| format!("u{number}")).collect();
    expected.sort_unstable();
    assert_eq!((sizes, users), (vec![10, 10, 5], expected));
}

#[tokio::test]
async fn a_manager_joins_and_leaves_for_one_connection() {
    let (server, ..) = start().await;
    let mut clients = [connect(&server, "ada").await, connect(&server, "ada").await];
    let id = clients[0].ask("me", json!({})).await["data"]["names"][0].as_str().expect("an id").parse().expect("an id");
    let manager = &server.manager;
    assert!(manager.join_connection(id, "g").await.expect("a join"));
    assert!(!manager.join_connection(id, "g").await.expect("a join"), "it is in it");
    post(&mut clients[1], json!({ "group": "g", "text": 1 })).await;
    assert_eq!(texts(&mut clients[0]).await, [1]);
    assert_eq!(texts(&mut clients[1]).await, Vec::<u64>::new());
    assert!(manager.leave_connection(id, "g").await.expect("a leave"));
    assert!(!manager.leave_connection(id, "g").await.expect("a leave"));
    assert_eq!(manager.stats().groups, 0);
    let foreign = "1-1".parse().expect("an id");
    assert!(!manager.join_connection(foreign, "g").await.expect("nobody"));
}

#[tokio::test]
async fn a_confirmed_message_reports_how_many_connections_took_it() {
    let (server, ..) = start().await;
    let mut clients = [connect(&server, "ada").await, connect(&server, "ada").await, connect(&server, "bob").await];
    for client in &mut clients[1..] {
        join(client, "g").await;
    }
    let within = Duration::from_secs(5);
    let message = tests::room::Posted::new("test", "hello");
    let manager = &server.manager;
    for (to, delivered) in [
        (manager.user("ada"), 2),
        (manager.user("nobody"), 0),
        (manager.group("g"), 2),
        (manager.group("g").except_user("bob"), 1),
        (manager.group("empty"), 0),
        (manager.everyone(), 3),
    ] {
        let confirmed = to.send_confirmed(&message, within).await.expect("sent");
        assert_eq!((confirmed.delivered, confirmed.complete), (delivered, true));
    }
    assert_eq!(texts(&mut clients[0]).await, ["hello"; 2]);
    assert_eq!(texts(&mut clients[1]).await, ["hello"; 4]);
    assert_eq!(texts(&mut clients[2]).await, ["hello"; 2]);
    assert!(manager.user("").send_confirmed(&message, within).await.is_err());
}

/// A worker that is blocked by a handler delivers later; the caller is not delayed by it.
#[tokio::test]
async fn a_confirmed_message_does_not_wait_for_a_blocked_worker() {
    let (server, journal, _) = start().await;
    let mut ada = connect(&server, "ada").await;
    ada.say("block", json!({ "text": 1000 })).await;
    tests::wait::until("the worker is held", async || journal.count("block begins") == 1).await;
    let message = tests::room::Posted::new("test", "hello");
    let confirmed = server.manager.user("ada").send_confirmed(&message, Duration::from_millis(50)).await.expect("sent");
    assert_eq!((confirmed.delivered, confirmed.complete), (0, false));
    assert_eq!(texts(&mut ada).await, ["hello"], "it comes all the same");
}
