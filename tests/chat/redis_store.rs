//! `CHAT_STORE=redis`: the chat with its store in Redis.

use serde_json::{Value, json};
use tests::chat::{ChatClient, ChatServer};
use tests::redis::Redis;

use crate::texts;

fn chat_on(redis: &Redis) -> ChatServer {
    ChatServer::with(&[("CHAT_STORE", "redis"), ("REDIS_URL", &redis.url()), ("REDIS_CHANNEL_PREFIX", "here:")])
}

#[tokio::test]
async fn nodes_agree_on_rooms_admissions_and_messages() {
    let Some(redis) = Redis::start() else { return };
    let nodes = [chat_on(&redis), chat_on(&redis)];
    let mut alice = ChatClient::connect(&nodes[0], "alice").await;
    alice.request("create_room", json!({ "room_name": "tea room", "is_public": false })).await;
    let message = alice.post("tea room", "psst").await;
    let mut bob = ChatClient::connect(&nodes[1], "bob").await;
    let error = bob.request_error("join_room", json!({ "room": "tea room" })).await;
    assert_eq!(error["category"], "authorization", "{error}");
    alice.request("invite", json!({ "room": "tea room", "user_id": "bob" })).await;
    assert_eq!(bob.join("tea room").await, [message]);
    let rooms = bob.request("list_rooms", json!({})).await;
    assert_eq!(rooms["rooms"][0]["created_by"], "alice", "{rooms}");
    assert_eq!(redis.ask(&["EXISTS", "here:chat:{room:tea%20room}:messages"]), ":1");
}

#[tokio::test]
async fn rooms_and_messages_survive_a_restart() {
    let Some(redis) = Redis::start() else { return };
    let mut chat = chat_on(&redis);
    let mut alice = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    alice.post("lobby", "Remember this").await;
    chat.crash_and_restart();
    let mut alice = ChatClient::connect(&chat, "alice").await;
    assert_eq!(texts(&alice.join("lobby").await), ["Remember this"]);
    let answer = chat.get("/api/rooms/lobby/messages").await.json();
    assert_eq!(answer["count"], 1, "{answer}");
}

#[tokio::test]
async fn a_message_that_redis_does_not_store_is_not_delivered_and_can_be_retried() {
    let Some(redis) = Redis::start() else { return };
    let chat = chat_on(&redis);
    let mut alice = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    let mut bob = ChatClient::connect_and_join(&chat, "bob", "lobby").await;
    alice.expect("user_joined_room").await;
    let before = alice.post("lobby", "before").await;
    assert_eq!(bob.expect("chat_message").await, before);
    redis.freeze();
    let (earlier, answer) = alice.try_post("lobby", "lost").await;
    assert_eq!((earlier, &answer["type"]), (Vec::<Value>::new(), &json!("error")), "{answer}");
    let error = &answer["data"];
    assert_eq!((&error["category"], &error["retryable"]), (&json!("backend"), &json!(true)), "{error}");
    assert!(error["retry_after_ms"].as_u64() > Some(0), "{error}");
    assert!(!error.to_string().to_lowercase().contains("redis"), "the error shows internals: {error}");
    redis.thaw();
    let kept = loop {
        let (mut earlier, answer) = alice.try_post("lobby", "kept").await;
        if answer["type"] == "reply" {
            break earlier.pop().unwrap()["data"].clone();
        }
        assert_eq!(answer["data"]["retryable"], true, "{answer}");
    };
    assert_eq!(bob.expect("chat_message").await, kept);
    let history = bob.request("get_message_history", json!({ "room": "lobby", "limit": 100 })).await;
    assert_eq!(history["messages"], json!([before, kept]));
}

/// Starts two nodes that share a Redis as store and as backend.
fn two_nodes(redis: &Redis) -> [ChatServer; 2] {
    let url = redis.url();
    let settings = [("CHAT_STORE", "redis"), ("BACKEND_TYPE", "redis"), ("REDIS_URL", &*url)];
    [ChatServer::with(&settings), ChatServer::with(&settings)]
}

// The members of the lost room are still connected. They and the members of the new room must not see each other's messages.
#[tokio::test]
async fn members_of_a_private_room_that_redis_has_lost_leave_before_a_public_one_takes_its_name() {
    let Some(redis) = Redis::start() else { return };
    let nodes = two_nodes(&redis);
    let mut members = Vec::new();
    for (node, name) in [(0, "alice"), (1, "bob")] {
        let mut member = ChatClient::connect(&nodes[node], name).await;
        if members.is_empty() {
            member.request("create_room", json!({ "room_name": "tea room", "is_public": false })).await;
            member.request("invite", json!({ "room": "tea room", "user_id": "bob" })).await;
        } else {
            member.join("tea room").await;
        }
        members.push(member);
    }
    members[0].expect("user_joined_room").await;
    assert_eq!(redis.ask(&["FLUSHALL"]), "+OK");
    for member in &mut members {
        member.expect("agentcore.resync").await;
    }

    let mut carol = ChatClient::connect(&nodes[1], "carol").await;
    let joined = carol.request("join_room", json!({ "room": "tea room" })).await;
    assert_eq!(joined["is_public"], true, "{joined}");
    assert_eq!(carol.expect("room_info").await["user_count"], 1);
    assert_eq!(carol.expect("message_history").await["messages"], json!([]));
    carol.post("tea room", "Is anybody here?").await;
    for member in &mut members {
        let mut left = member.next().await;
        if left["type"] == "user_left_room" {
            left = member.next().await;
        }
        assert_eq!(left, json!({ "type": "room_left", "data": { "room": "tea room" } }));
        let error = member.request_error("chat_message", json!({ "room": "tea room", "text": "psst" })).await;
        assert_eq!(error["category"], "authorization", "{error}");
    }
    carol.expect_nothing().await;

    // Members of the lost room may join the new one.
    members[0].join("tea room").await;
    assert_eq!(carol.expect("user_joined_room").await["user_id"], "alice");
}

#[tokio::test]
async fn simultaneous_first_joins_of_a_room_remove_nobody() {
    let Some(redis) = Redis::start() else { return };
    let nodes = two_nodes(&redis);
    let mut clients = Vec::new();
    for number in 0..20 {
        clients.push(ChatClient::connect(&nodes[number % 2], &format!("u{number}")).await);
    }
    for client in &mut clients {
        client.send("join_room", json!({ "room": "lobby" })).await;
    }
    for client in &mut clients {
        while client.next().await["type"] != "message_history" {}
    }
    let users = clients[0].request_with_earlier("get_room_users", json!({ "room": "lobby" })).await.1;
    assert_eq!(users["total"], 20, "{users}");
}
