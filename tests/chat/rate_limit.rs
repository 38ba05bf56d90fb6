//! The rate limit of a user.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::chat::{ChatClient, ChatServer};

/// Restores the program's default: an empty value counts as not set.
const DEFAULTS: [(&str, &str); 1] = [("CHAT_RATE_MESSAGES", "")];

#[tokio::test]
async fn the_thirty_first_message_of_a_minute_is_refused_with_a_hint() {
    let chat = ChatServer::with(&DEFAULTS);
    let mut alice = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    let mut bob = ChatClient::connect_and_join(&chat, "bob", "lobby").await;
    alice.expect("user_joined_room").await;
    // The join counts as the first message.
    for n in 2..=30 {
        alice.post("lobby", &n.to_string()).await;
        assert_eq!(bob.expect("chat_message").await["text"], n.to_string());
    }
    let error = alice.request_error("chat_message", json!({ "room": "lobby", "text": "31" })).await;
    assert_eq!((&error["code"], &error["category"]), (&json!("RATE_LIMIT_EXCEEDED"), &json!("rate_limit")), "{error}");
    assert_eq!(error["retryable"], true, "{error}");
    let wait = error["retry_after_ms"].as_u64().unwrap();
    assert!((1..=60_000).contains(&wait), "{error}");
    // The message is not delivered, and other users are not limited.
    bob.expect_nothing().await;
    bob.post("lobby", "I may").await;
    alice.expect("chat_message").await;

    // The limit counts per user: neither a second connection nor a new one avoids it.
    let mut again = ChatClient::connect(&chat, "alice").await;
    let error = again.request_error("join_room", json!({ "room": "lobby" })).await;
    assert_eq!(error["code"], "RATE_LIMIT_EXCEEDED", "{error}");
    again.close().await;
    alice.close().await;
    let mut alice = ChatClient::connect(&chat, "alice").await;
    for (kind, data) in [
        ("join_room", json!({ "room": "lobby" })),
        ("leave_room", json!({ "room": "lobby" })),
        ("create_room", json!({ "room_name": "other", "is_public": true })),
        ("invite", json!({ "room": "lobby", "user_id": "bob" })),
        ("private_message", json!({ "target_user_id": "bob", "text": "hello" })),
        ("dance", json!({})),
    ] {
        let error = alice.request_error(kind, data).await;
        assert_eq!(error["code"], "RATE_LIMIT_EXCEEDED", "{kind}: {error}");
    }
    // Exempt messages still pass.
    for _ in 0..40 {
        for kind in ["typing_start", "typing_stop"] {
            assert_eq!(alice.request(kind, json!({ "room": "lobby" })).await, Value::Null);
        }
        alice.request("list_rooms", json!({})).await;
        alice.request("get_room_users", json!({ "room": "lobby" })).await;
        alice.request("get_message_history", json!({ "room": "lobby", "limit": 1 })).await;
        alice.expect_nothing().await;
    }
}

#[tokio::test]
async fn limit_and_window_are_settings_and_a_client_that_waits_may_continue() {
    let chat = ChatServer::with(&[("CHAT_RATE_MESSAGES", "3"), ("CHAT_RATE_SECONDS", "2")]);
    let mut alice = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    let mut passed = Vec::new();
    // The server handles a message between the two instants.
    while passed.len() < 7 {
        let before = Instant::now();
        let (_, answer) = alice.try_post("lobby", "again").await;
        if answer["type"] == "reply" {
            passed.push((before, Instant::now()));
            continue;
        }
        assert_eq!(answer["data"]["code"], "RATE_LIMIT_EXCEEDED", "{answer}");
        let wait = answer["data"]["retry_after_ms"].as_u64().unwrap();
        assert!((1..=2_000).contains(&wait), "{answer}");
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
    for four in passed.windows(4) {
        let took = four[3].1 - four[0].0;
        assert!(took >= Duration::from_secs(2), "four messages within {took:?}");
    }
}

#[tokio::test]
async fn exempt_messages_have_a_limit_of_their_own() {
    let chat = ChatServer::with(&DEFAULTS);
    let mut alice = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    for _ in 0..1_100 {
        alice.send("typing_start", json!({ "room": "lobby" })).await;
    }
    let error = alice.expect("error").await;
    assert_eq!((&error["code"], &error["message_type"]), (&json!("RATE_LIMIT_EXCEEDED"), &json!("typing_start")));
}
