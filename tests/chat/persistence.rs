//! Data that survives a restart, and errors of the store.

use serde_json::{Value, json};
use tests::chat::{ChatClient, ChatServer};

use crate::texts;

#[tokio::test]
async fn rooms_and_messages_survive_a_restart_and_joins_do_not() {
    let mut chat = ChatServer::start();
    let mut alice = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    let message = alice.post("lobby", "Remember this").await;
    alice.request("create_room", json!({ "room_name": "secret", "is_public": false })).await;
    alice.post("secret", "and this").await;
    // An answered message is stored, so a crash right after the answer does not lose it.
    chat.crash_and_restart();

    let mut alice = ChatClient::connect(&chat, "alice").await;
    let error = alice.request_error("chat_message", json!({ "room": "lobby", "text": "am I in?" })).await;
    assert_eq!(error["category"], "authorization", "{error}");
    assert_eq!(alice.join("lobby").await, [message]);
    assert_eq!(texts(&alice.join("secret").await), ["and this"]);
    let mut bob = ChatClient::connect(&chat, "bob").await;
    let error = bob.request_error("join_room", json!({ "room": "secret" })).await;
    assert_eq!(error["category"], "authorization", "{error}");
    let rooms = bob.request("list_rooms", json!({})).await;
    let lobby = json!({ "name": "lobby", "user_count": 1, "created_by": "alice", "is_public": true });
    assert_eq!(rooms, json!({ "rooms": [lobby] }));
}

#[tokio::test]
async fn a_message_that_cannot_be_stored_is_not_delivered_and_can_be_retried() {
    let chat = ChatServer::with_small_files(600);
    let mut alice = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    let mut bob = ChatClient::connect_and_join(&chat, "bob", "lobby").await;
    alice.expect("user_joined_room").await;
    let text = "x".repeat(4_000);
    let mut stored = 0;
    let error = loop {
        let (before, answer) = alice.try_post("lobby", &text).await;
        if answer["type"] == "error" {
            assert_eq!(before, Vec::<Value>::new(), "the message is not delivered");
            break answer["data"].clone();
        }
        stored += 1;
        assert!(stored < 1_000, "the limit of the file size has no effect");
    };
    assert_eq!((&error["category"], &error["retryable"]), (&json!("backend"), &json!(true)), "{error}");
    assert!(error["retry_after_ms"].as_u64() > Some(0), "{error}");
    assert!(
        !error.to_string().contains("sqlite") && !error.to_string().contains(".db"),
        "the error shows internals: {error}"
    );
    for _ in 0..stored {
        assert_eq!(bob.expect("chat_message").await["text"], text);
    }
    bob.expect_nothing().await;
    let history = bob.request("get_message_history", json!({ "room": "lobby", "limit": 100 })).await;
    assert_eq!(history["messages"].as_array().unwrap().len(), stored.min(100));
    alice.expect_nothing().await;
}
