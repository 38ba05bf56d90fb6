//! Messages to a room: delivery and permission.

use serde_json::{Value, json};
use tests::chat::{ChatClient, ChatServer};

use crate::{is_timestamp, texts};

#[tokio::test]
async fn a_message_reaches_all_members_of_the_room_and_is_acknowledged() {
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    let mut bob = ChatClient::connect_and_join(&chat, "bob", "lobby").await;
    let mut carol = ChatClient::connect_and_join(&chat, "carol", "elsewhere").await;
    alice.expect("user_joined_room").await;

    // The server ignores fields that claim another author.
    let data = json!({ "room": "lobby", "text": "Grüße 🎉 <b>", "user_id": "root", "username": "root" });
    let (earlier, reply) = alice.request_with_earlier("chat_message", data).await;
    assert_eq!(reply, Value::Null);
    let message = earlier[0]["data"].clone();
    assert_eq!(earlier, [json!({ "type": "chat_message", "data": message })]);
    assert!(is_timestamp(&message["timestamp"]), "{message}");
    assert_eq!(message["id"].as_str().unwrap().len(), 36, "{message}");
    let expected = json!({
        "id": message["id"], "room": "lobby", "user_id": "alice", "username": "alice", "text": "Grüße 🎉 <b>",
        "timestamp": message["timestamp"],
    });
    assert_eq!(message, expected);
    assert_eq!(bob.expect("chat_message").await, message);

    // Without a `ref` there is no reply.
    alice.send("chat_message", json!({ "room": "lobby", "text": "again" })).await;
    let again = alice.expect("chat_message").await;
    assert_eq!(again["text"], "again");
    assert!(again["id"].as_str() > message["id"].as_str(), "ids rise: {message} {again}");
    assert_eq!(bob.expect("chat_message").await, again);
    for client in [&mut alice, &mut bob, &mut carol] {
        client.expect_nothing().await;
    }
}

#[tokio::test]
async fn only_members_may_post() {
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    let mut bob = ChatClient::connect(&chat, "bob").await;
    for room in ["lobby", "nowhere"] {
        let error = bob.request_error("chat_message", json!({ "room": room, "text": "let me in" })).await;
        assert_eq!((&error["category"], &error["retryable"]), (&json!("authorization"), &json!(false)), "{error}");
    }
    bob.send("chat_message", json!({ "room": "lobby", "text": "let me in" })).await;
    assert_eq!(bob.expect("error").await["code"], "FORBIDDEN");
    alice.expect_nothing().await;
    // Membership belongs to a connection and not to a user.
    let mut other_alice = ChatClient::connect(&chat, "alice").await;
    let error = other_alice.request_error("chat_message", json!({ "room": "lobby", "text": "it is me" })).await;
    assert_eq!(error["category"], "authorization", "{error}");
    assert_eq!(texts(&bob.join("lobby").await), Vec::<&str>::new(), "nothing was stored");
}
