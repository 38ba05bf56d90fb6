//! Groups, users with several connections, and counts that are correct after every change.

use serde_json::{Value, json};
use tests::client::Client;

use crate::{connect, join, nothing_is_left, post, start, texts};

#[tokio::test]
async fn counts_are_right_after_every_step() {
    let (server, ..) = start().await;
    let manager = &server.manager;
    let mut clients: Vec<Client> = Vec::new();
    for number in 0..6_usize {
        let mut client = connect(&server, &format!("u{}", number / 2)).await;
        join(&mut client, "g").await;
        clients.push(client);
        assert_eq!(manager.group_count("g").await.expect("a count"), number + 1, "connections");
        assert_eq!(manager.online_count().await.expect("a count"), number / 2 + 1, "users");
        assert_eq!(manager.group_members("g").await.expect("a list").items.len(), number / 2 + 1, "users, each once");
        let stats = manager.stats();
        assert_eq!((stats.connections, stats.users, stats.groups), (number + 1, number / 2 + 1, 1));
    }
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.ask("leave", json!({ "group": "g" })).await["data"]["names"][0], "true");
        assert_eq!(manager.group_count("g").await.expect("a count"), 5 - number);
        assert_eq!(client.ask("leave", json!({ "group": "g" })).await["data"]["names"][0], "false");
    }
    assert_eq!(manager.stats().groups, 0, "an empty group is none");
    for (number, mut client) in clients.into_iter().enumerate() {
        client.close(1000).await;
        assert_eq!(manager.stats().connections, 5 - number, "the answer to a close comes after the counts");
        assert_eq!(manager.is_online(format!("u{}", number / 2)).await.expect("an answer"), number % 2 == 0);
    }
    nothing_is_left(&server).await;
}

#[tokio::test]
async fn joining_twice_counts_once() {
    let (server, ..) = start().await;
    let mut ada = connect(&server, "ada").await;
    join(&mut ada, "g").await;
    assert_eq!(ada.ask("join", json!({ "group": "g" })).await["data"]["names"][0], "false");
    assert_eq!(server.manager.group_count("g").await.expect("a count"), 1);
    post(&mut ada, json!({ "group": "g", "text": 1 })).await;
    assert_eq!(texts(&mut ada).await, [json!(1)]);
    join(&mut ada, "h").await;
    join(&mut ada, "a").await;
    assert_eq!(ada.ask("groups", json!({})).await["data"]["names"], json!(["g", "h", "a"]), "in the order of joining");
}

#[tokio::test]
async fn an_empty_group_and_an_offline_user_are_no_error() {
    let (server, ..) = start().await;
    let mut ada = connect(&server, "ada").await;
    for to in [json!({ "group": "nobody" }), json!({ "user": "nobody" }), json!({ "connection": "ffffffffffffffff-9" })]
    {
        assert_eq!(ada.ask("post", to).await["data"], Value::Null);
    }
}

#[tokio::test]
async fn a_bad_name_is_one_error_and_the_connection_stays() {
    let (server, ..) = start().await;
    let mut ada = connect(&server, "ada").await;
    for (kind, data) in [
        ("join", json!({ "group": "" })),
        ("join", json!({ "group": "x".repeat(129) })),
        ("join", json!({ "group": "a\nb" })),
        ("leave", json!({ "group": "\u{0}" })),
        ("enter", json!({ "group": "" })),
        ("post", json!({ "group": "" })),
        ("post", json!({ "user": "x".repeat(65) })),
        ("post", json!({ "connection": "no id" })),
        ("post", json!({ "group": "g", "except_user": "" })),
    ] {
        let error = ada.ask(kind, data.clone()).await;
        assert_eq!(error["data"]["code"], "VALIDATION_FAILED", "{kind} {data}: {error}");
    }
    for group in ["*", "a:b", "{x}", "../..", "é".repeat(64).as_str(), "\u{202E}x", " "] {
        join(&mut ada, group).await;
        post(&mut ada, json!({ "group": group, "text": group })).await;
        assert_eq!(texts(&mut ada).await, [json!(group)], "{group}");
    }
}

#[tokio::test]
async fn exclusions_skip_a_connection_or_a_user() {
    let (server, ..) = start().await;
    let mut first = connect(&server, "ada").await;
    let mut second = connect(&server, "ada").await;
    let mut bob = connect(&server, "bob").await;
    for client in [&mut first, &mut second, &mut bob] {
        join(client, "g").await;
    }
    post(&mut first, json!({ "group": "g", "text": 1, "except_self": true })).await;
    post(&mut first, json!({ "group": "g", "text": 2, "except_user": "ada" })).await;
    post(&mut first, json!({ "group": "g", "text": 3, "except_user": "bob", "except_self": true })).await;
    post(&mut first, json!({ "user": "ada", "text": 4, "except_self": true })).await;
    post(&mut first, json!({ "text": 5, "except_user": "bob" })).await;
    assert_eq!(texts(&mut first).await, [5]);
    assert_eq!(texts(&mut second).await, [1, 3, 4, 5]);
    assert_eq!(texts(&mut bob).await, [1, 2]);
}

#[tokio::test]
async fn a_connection_id_is_unique_and_names_its_connection() {
    let (server, ..) = start().await;
    let mut seen = std::collections::HashSet::new();
    for number in 0..20 {
        let mut client = connect(&server, "ada").await;
        let me = client.ask("me", json!({})).await["data"]["names"].clone();
        let id = me[0].as_str().expect("an id").to_owned();
        assert_eq!(me[1], "ada");
        assert!(seen.insert(id.clone()), "{id} was there before");
        let known = server.manager.connection_info(id.parse().expect("an id")).expect("it is known");
        assert_eq!((known.id.to_string(), known.user_id.as_str()), (id, "ada"), "{number}");
    }
}

#[tokio::test]
async fn a_manager_joins_and_leaves_for_a_user() {
    let (server, ..) = start().await;
    let mut clients = [connect(&server, "ada").await, connect(&server, "ada").await, connect(&server, "bob").await];
    server.manager.join_user("ada", "g").await.expect("a join");
    assert_eq!(server.manager.group_count("g").await.expect("a count"), 2);
    assert_eq!(server.manager.group_members("g").await.expect("a list").items, ["ada"]);
    post(&mut clients[2], json!({ "group": "g", "text": 1 })).await;
    for (client, expected) in clients.iter_mut().zip([vec![json!(1)], vec![json!(1)], vec![]]) {
        assert_eq!(texts(client).await, expected);
    }
    server.manager.leave_user("ada", "g").await.expect("a leave");
    assert_eq!(server.manager.stats().groups, 0);
    assert_eq!(clients[0].ask("groups", json!({})).await["data"]["names"], json!([]));
}
