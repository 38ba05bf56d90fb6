//! A Redis that is shared with other applications, other programs, and users without a password.

use agentcore::Settings;
use agentcore::backend::{Backend, RedisBackend};
use serde_json::{Value, json};
use tests::bare::{Bare, no_limits};
use tests::redis::Redis;
use tests::server::{Server, settings};

use crate::{Node, Nodes, join, post, room, texts_before};

fn at(url: &str, prefix: &str) -> RedisBackend {
    let mut settings = Settings::default();
    settings.redis_url = url.parse().expect("a URL");
    settings.redis_channel_prefix = prefix.parse().expect("a prefix");
    RedisBackend::new(&settings).expect("a backend")
}

async fn node(url: &str, prefix: &str) -> Node {
    let (app, journal, gate) = room(settings());
    Node { server: Server::start(app.backend(at(url, prefix))).await, journal, gate }
}

#[tokio::test]
async fn applications_with_other_prefixes_never_meet() {
    let Some(redis) = Redis::start() else { return };
    let (url, mut nodes) = (redis.url(), Vec::new());
    for prefix in ["a:", "a:", "a:group:", "b"] {
        nodes.push(node(&url, prefix).await);
    }
    let nodes = Nodes(nodes);
    let mut clients = Vec::new();
    for number in 0..4 {
        let mut client = nodes.connect(number, "same").await;
        join(&mut client, "g").await;
        clients.push(client);
    }
    for (number, client) in clients.iter_mut().enumerate() {
        post(client, json!({ "group": "g", "text": number })).await;
        post(client, json!({ "user": "same", "text": number })).await;
    }
    post(&mut clients[1], json!({ "text": "end" })).await;
    post(&mut clients[2], json!({ "text": "end" })).await;
    post(&mut clients[3], json!({ "text": "end" })).await;
    for (number, client) in clients.iter_mut().enumerate() {
        let mut got: Vec<_> = texts_before(client, "end").await.into_iter().map(|(_, text)| text).collect();
        got.sort_by_key(Value::as_u64);
        let expected = if number < 2 { vec![0, 0, 1, 1] } else { vec![number, number] };
        assert_eq!(got, expected.into_iter().map(Value::from).collect::<Vec<_>>(), "node {number}");
    }
    for (number, count) in [(0, 2), (2, 1), (3, 1)] {
        let manager = &nodes.server(number).manager;
        tests::wait::until_equal("members", count, async || manager.group_count("g").await.expect("a count")).await;
        assert_eq!(manager.online_count().await.expect("a count"), 1);
    }
    assert!(redis.keys().iter().all(|key| key.starts_with("a:") || key.starts_with('b')), "{:?}", redis.keys());
}

#[tokio::test]
async fn any_program_can_publish_an_envelope() {
    let Some(redis) = Redis::start() else { return };
    let nodes = Nodes::of(&redis).await;
    let mut clients = nodes.clients(3).await;
    join(&mut clients[0], "a room: 100%").await;
    join(&mut clients[1], "a room: 100%").await;
    let said = |text: &str| json!({ "type": "posted", "data": { "from": "afar", "text": text } });
    let publish = |channel: &str, envelope: &Value| redis.does::<u64>(&["PUBLISH", channel, &envelope.to_string()]);

    assert_eq!(publish("ws:group:a%20room%3A%20100%25", &said("to the room")), 2, "nodes that hear it");
    assert_eq!(clients[0].next().await, said("to the room"));
    assert_eq!(clients[1].next().await, said("to the room"));

    publish("ws:everyone:", &said("to everyone"));
    for client in &mut clients {
        assert_eq!(client.next().await, said("to everyone"));
    }
    let mut to_user = said("to one");
    to_user["user"] = "u2".into();
    publish("ws:users:", &to_user);
    assert_eq!(clients[2].next().await, said("to one"));

    // Invalid payloads are dropped, and later ones pass.
    for bad in [json!({ "type": "agentcore.resync", "data": {} }), json!({ "type": "no type" }), json!({ "data": 1 })] {
        publish("ws:everyone:", &bad);
    }
    redis.does::<u64>(&["PUBLISH", "ws:everyone:", "{\"type\":"]);
    publish("ws:everyone:", &said("after"));
    for client in &mut clients {
        assert_eq!(client.next().await, said("after"));
    }
}

#[tokio::test]
async fn a_node_signs_in_and_keeps_to_its_database() {
    let Some(redis) = Redis::with(&["--user", "app", "on", ">secret", "~ws:*", "&ws:*", "+@all", "-@admin"]) else {
        return;
    };
    let url = |who: &str, database: u8| format!("redis://{who}127.0.0.1:{}/{database}", redis.port());
    let (node, _got) = Bare::new();
    let good = at(&url("app:secret@", 3), "ws:");
    node.start(&good, "a", no_limits()).await;
    assert!(redis.keys().is_empty(), "the keys are in database 3");
    good.stop().await;

    let (app, _, _) = room(settings());
    let wrong = app.backend(at(&url("app:wrong-password@", 0), "ws:")).build().await.expect_err("a wrong password");
    assert!(!format!("{wrong:?}").contains("wrong-password"), "{wrong:?}");
}

#[tokio::test]
async fn a_node_without_redis_does_not_start_and_says_why() {
    let (app, _, _) = room(settings());
    let error = app.backend(at("redis://:secret@127.0.0.1:1/0", "ws:")).build().await.expect_err("no Redis there");
    let text = format!("{error:?}");
    assert!(text.contains("Redis") && !text.contains("secret"), "{text}");
}

#[tokio::test]
async fn a_program_without_connections_can_send_to_all_connections() {
    use agentcore::Publisher;
    use tests::room::Posted;

    let Some(redis) = Redis::start() else { return };
    let nodes = Nodes::of(&redis).await;
    let mut clients = nodes.clients(3).await;
    join(&mut clients[0], "g").await;
    join(&mut clients[1], "g").await;
    let mut settings = Settings::default();
    settings.redis_url = redis.url().parse().expect("a URL");
    let publisher = Publisher::new(&settings).expect("a publisher");
    let said = |text: &str| Posted::new("afar", text);
    publisher.group("g").send(&said("1")).await.expect("sent");
    publisher.user("u2").send(&said("2")).await.expect("sent");
    publisher.everyone().send(&said("3")).await.expect("sent");
    for (number, client) in clients.iter_mut().enumerate() {
        let first = if number < 2 { "1" } else { "2" };
        assert_eq!(client.next_of("posted").await["data"]["text"], first);
        assert_eq!(client.next_of("posted").await["data"]["text"], "3");
    }
    assert_eq!(publisher.group("").send(&said("4")).await.expect_err("no name").code(), "VALIDATION_FAILED");
    redis.kill();
    assert_eq!(publisher.everyone().send(&said("5")).await.expect_err("no Redis").code(), "BACKEND_UNAVAILABLE");
    redis.revive();
    publisher.everyone().send(&said("6")).await.expect("sent again");
}
