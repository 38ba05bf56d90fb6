//! Joining, leaving and creating rooms, and the notifications of the others.

use serde_json::json;
use tests::chat::{ChatClient, ChatServer};

use crate::{is_timestamp, texts};

#[tokio::test]
async fn a_join_is_answered_before_the_details_and_the_history_of_the_room() {
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect(&chat, "alice").await;
    let joined = alice.request("join_room", json!({ "room": "lobby" })).await;
    assert_eq!(joined, json!({ "room": "lobby", "is_public": true }));
    let info = json!({ "room": "lobby", "user_count": 1, "created_by": "alice", "is_public": true });
    assert_eq!(alice.expect("room_info").await, info);
    assert_eq!(alice.expect("message_history").await, json!({ "room": "lobby", "messages": [] }));
    let said = alice.post("lobby", "first").await;

    let mut bob = ChatClient::connect(&chat, "bob").await;
    bob.send("join_room", json!({ "room": "lobby" })).await;
    assert_eq!(bob.expect("room_joined").await, joined);
    assert_eq!(bob.expect("room_info").await["user_count"], 2);
    assert_eq!(bob.expect("message_history").await, json!({ "room": "lobby", "messages": [said] }));
    bob.expect_nothing().await;

    let notification = alice.expect("user_joined_room").await;
    assert!(is_timestamp(&notification["timestamp"]), "{notification}");
    let expected =
        json!({ "room": "lobby", "user_id": "bob", "username": "bob", "timestamp": notification["timestamp"] });
    assert_eq!(notification, expected);
    alice.expect_nothing().await;
}

#[tokio::test]
async fn a_join_sends_the_last_fifty_messages() {
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    for n in 0..55 {
        alice.post("lobby", &format!("line {n}")).await;
    }
    let mut bob = ChatClient::connect(&chat, "bob").await;
    let expected: Vec<_> = (5..55).map(|n| format!("line {n}")).collect();
    assert_eq!(texts(&bob.join("lobby").await), expected);
}

#[tokio::test]
async fn a_second_join_has_the_same_answer_and_notifies_nobody() {
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    let mut bob = ChatClient::connect_and_join(&chat, "bob", "lobby").await;
    alice.expect("user_joined_room").await;
    let said = bob.post("lobby", "once").await;
    assert_eq!(bob.join("lobby").await, std::slice::from_ref(&said));
    // Messages keep their order, so no notification arrived in between.
    assert_eq!(alice.expect("chat_message").await, said);
    let second = bob.post("lobby", "and once only").await;
    assert_eq!(alice.expect("chat_message").await, second);
}

#[tokio::test]
async fn a_leave_notifies_the_others_at_once() {
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    let mut bob = ChatClient::connect_and_join(&chat, "bob", "lobby").await;
    alice.expect("user_joined_room").await;
    assert_eq!(bob.request("leave_room", json!({ "room": "lobby" })).await, json!({ "room": "lobby" }));
    let left = json!({ "room": "lobby", "user_id": "bob", "username": "bob" });
    assert_eq!(alice.expect("user_left_room").await, left);

    let error = bob.request_error("leave_room", json!({ "room": "lobby" })).await;
    assert_eq!(error["category"], "authorization", "{error}");
    alice.post("lobby", "alone").await;
    bob.expect_nothing().await;

    bob.join("lobby").await;
    alice.expect("user_joined_room").await;
    bob.send("leave_room", json!({ "room": "lobby" })).await;
    assert_eq!(bob.expect("room_left").await, json!({ "room": "lobby" }));
    assert_eq!(alice.expect("user_left_room").await, left);
}

#[tokio::test]
async fn creating_an_existing_room_joins_it() {
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect(&chat, "alice").await;
    let room = json!({ "room_name": "tea room", "is_public": true });
    let created = alice.request("create_room", room.clone()).await;
    assert_eq!(created, json!({ "room": "tea room", "is_public": true }));
    alice.post("tea room", "Milk or lemon?").await;

    let mut bob = ChatClient::connect(&chat, "bob").await;
    // An existing room keeps its visibility.
    bob.send("create_room", json!({ "room_name": "tea room", "is_public": false })).await;
    assert_eq!(bob.expect("room_joined").await, created);
    let info = json!({ "room": "tea room", "user_count": 2, "created_by": "alice", "is_public": true });
    assert_eq!(bob.expect("room_info").await, info);
    let history = bob.expect("message_history").await;
    assert_eq!(texts(history["messages"].as_array().unwrap()), ["Milk or lemon?"]);
    assert_eq!(alice.expect("user_joined_room").await["user_id"], "bob");

    bob.send("create_room", json!({ "room_name": "other", "is_public": true })).await;
    assert_eq!(bob.expect("room_created").await, json!({ "room": "other", "is_public": true }));
    bob.post("other", "I am in it").await;
}

#[tokio::test]
async fn a_join_that_is_refused_creates_no_room() {
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect(&chat, "alice").await;
    let mut refused = 0;
    for n in 0..140 {
        // The last ones are over the limit of 128 groups of a connection.
        let (message_type, data) = match n % 2 {
            0 => ("join_room", json!({ "room": format!("room {n}") })),
            _ => ("create_room", json!({ "room_name": format!("room {n}"), "is_public": n % 4 == 1 })),
        };
        let (_, answer) = alice.try_request(message_type, data).await;
        refused += u32::from(answer["type"] == "error");
    }
    assert_eq!(refused, 12);
    let (_, list) = alice.request_with_earlier("list_rooms", json!({})).await;
    assert_eq!(list["rooms"].as_array().map(Vec::len), Some(128));
    assert_eq!(chat.get("/api/rooms/room%20138/messages").await.status, 404);
}
