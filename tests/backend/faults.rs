//! A backend that fails, or receives strange payloads: which clients get a resync, and which messages arrive.

use std::time::Duration;

use agentcore::GroupName;
use agentcore::message::Recipient;
use agentcore::testing::StubRedis;
use serde_json::{Value, json};
use tests::hub::Hub;
use tests::raw::{Raw, handshake};
use tests::wait::until;

use crate::{Nodes, join, post, texts_before};

#[tokio::test]
async fn a_send_that_fails_has_reached_nobody_and_says_when_to_try_again() {
    let hub = Hub::default();
    let nodes = Nodes::of(&hub).await;
    let mut clients = nodes.clients(4).await;
    for client in &mut clients {
        join(client, "g").await;
    }
    hub.set_broken(true);
    for to in [json!({ "group": "g", "text": 1 }), json!({ "user": "u1", "text": 1 }), json!({ "text": 1 })] {
        let error = clients[0].ask("post", to.clone()).await;
        assert_eq!(error["data"]["code"], "BACKEND_UNAVAILABLE", "{to}: {error}");
        assert_eq!((&error["data"]["category"], &error["data"]["retryable"]), (&json!("backend"), &json!(true)));
        assert!(error["data"]["retry_after_ms"].as_u64() > Some(0), "{error}");
    }
    hub.set_broken(false);
    post(&mut clients[0], json!({ "group": "g", "text": "end" })).await;
    for client in &mut clients {
        assert_eq!(texts_before(client, "end").await, [], "a retry cannot duplicate");
    }
}

#[tokio::test]
async fn while_the_backend_fails_nobody_is_admitted_and_nobody_is_closed() {
    let hub = Hub::default();
    let nodes = Nodes::of(&hub).await;
    let mut ada = nodes.connect(0, "ada").await;
    hub.set_broken(true);
    let (_, answer) = Raw::handshake(nodes.server(0), handshake("/room/bob").as_bytes()).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.json()["error"]["code"], "BACKEND_UNAVAILABLE");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    assert_eq!(ada.ask("enter", json!({ "group": "g" })).await["data"]["code"], "BACKEND_UNAVAILABLE");
    join(&mut ada, "h").await;
    assert_eq!(ada.ask("me", json!({})).await["data"]["names"][1], "ada");
    hub.set_broken(false);
    assert_eq!(ada.ask("enter", json!({ "group": "g" })).await["type"], "reply", "a second try succeeds");
    assert_eq!(hub.admitted(), 1);
}

#[tokio::test]
async fn affected_connections_get_a_resync() {
    let hub = Hub::default();
    let nodes = Nodes::of(&hub).await;
    let mut clients = nodes.clients(4).await;
    join(&mut clients[0], "a").await;
    join(&mut clients[1], "a").await;
    join(&mut clients[1], "b").await;
    join(&mut clients[2], "c").await;
    let groups: Vec<GroupName> = ["a", "b", "empty"].iter().map(|name| name.parse().expect("a name")).collect();
    hub.lose(Some(&groups));
    for (number, expected) in [(0, Some(json!(["a"]))), (1, Some(json!(["a", "b"]))), (2, None), (3, None)] {
        let told: Vec<Value> = clients[number].settle().await;
        match expected {
            None => assert_eq!(told, Vec::<Value>::new(), "client {number}"),
            Some(groups) => {
                assert_eq!(told.len(), 1, "one message for all groups: {told:?}");
                assert_eq!(told[0]["type"], "agentcore.resync");
                assert_eq!(told[0]["data"]["groups"], groups);
                assert_eq!(told[0]["data"]["reason"], "backend");
                assert_eq!(told[0]["data"]["spread_ms"], 2000);
            }
        }
    }
    let mut late = nodes.connect(0, "late").await;
    hub.lose(None);
    let told = late.settle().await;
    assert_eq!((told.len(), &told[0]["data"]["groups"]), (1, &Value::Null), "all");
}

#[tokio::test]
async fn a_join_during_an_outage_causes_a_resync_for_the_new_member_only() {
    let redis = StubRedis::new();
    let nodes = Nodes::of(&redis).await;
    let mut clients = nodes.clients(5).await;
    join(&mut clients[0], "g").await;
    redis.set_down(true);
    // The first resync shows that the loss was noticed.
    until("the loss is known", async || {
        join(&mut clients[2], "other").await;
        let told = clients[2].settle().await;
        clients[2].ask("leave", json!({ "group": "other" })).await;
        !told.is_empty()
    })
    .await;
    join(&mut clients[4], "g").await;
    let told = clients[4].settle().await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["type"], &told[0]["data"]["groups"]), (&json!("agentcore.resync"), &json!(["g"])));
    assert_eq!(told[0]["data"]["reason"], "backend");
    assert_eq!(clients[0].settle().await, Vec::<Value>::new(), "it was there before");

    redis.set_down(false);
    for client in [0, 4] {
        let told = tokio::time::timeout(Duration::from_secs(10), clients[client].next()).await.expect("it is back");
        assert_eq!(
            (&told["type"], &told["data"]["groups"]),
            (&json!("agentcore.resync"), &Value::Null),
            "client {client}"
        );
    }
}

/// A message from another node is passed on unchanged; its own node has validated it.
#[tokio::test]
async fn an_envelope_of_another_node_reaches_the_members_unchanged() {
    let hub = Hub::default();
    let nodes = Nodes::of(&hub).await;
    let mut clients = nodes.clients(3).await;
    join(&mut clients[0], "g").await;
    join(&mut clients[1], "g").await;
    let envelope = json!({ "type": "posted", "data": { "from": "afar", "text": "x".repeat(70_000) } });
    hub.inject(Recipient::Group("g".parse().expect("a name")), &envelope.to_string());
    assert_eq!(clients[0].next().await, envelope);
    assert_eq!(clients[1].next().await, envelope);
    hub.inject(Recipient::User("u2".parse().expect("a name")), &envelope.to_string());
    assert_eq!(clients[2].next().await, envelope);
}

#[tokio::test]
async fn a_stopped_node_is_in_no_counts() {
    let hub = Hub::default();
    let mut nodes = Nodes::of(&hub).await;
    let mut stays = nodes.connect(0, "stays").await;
    let mut goes = nodes.connect(1, "goes").await;
    join(&mut stays, "g").await;
    join(&mut goes, "g").await;
    let stopped = nodes.0.pop().expect("two nodes").server;
    let ending = tokio::spawn(stopped.stop());
    assert_eq!(goes.closed().await.1.code, Some(1012));
    ending.await.expect("no panic");
    let manager = &nodes.server(0).manager;
    assert_eq!(manager.online_count().await.expect("a count"), 1);
    assert_eq!(manager.group_count("g").await.expect("a count"), 1);
    assert_eq!(manager.group_members("g").await.expect("a list").items, ["stays"]);
    assert_eq!(hub.admitted(), 1);
    assert_eq!(stays.settle().await.len(), 0);
}
