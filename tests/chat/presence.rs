//! Joins and leaves of users with several connections.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::chat::{ChatClient, ChatServer};

#[tokio::test]
async fn a_user_with_two_connections_joins_once_and_leaves_with_the_last() {
    let chat = ChatServer::start();
    let mut bob = ChatClient::connect_and_join(&chat, "bob", "lobby").await;
    let mut first = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    let mut second = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    assert_eq!(bob.expect("user_joined_room").await["user_id"], "alice");
    let message = second.post("lobby", "from the second").await;
    assert_eq!(first.expect("chat_message").await, message, "users are not notified of their own join");
    assert_eq!(bob.expect("chat_message").await, message);

    first.close().await;
    chat.until_connections(2).await;
    let message = second.post("lobby", "still here").await;
    assert_eq!(bob.expect("chat_message").await, message);

    let closed = Instant::now();
    second.close().await;
    let left = json!({ "room": "lobby", "user_id": "alice", "username": "alice" });
    assert_eq!(bob.expect("user_left_room").await, left);
    assert!(closed.elapsed() >= Duration::from_millis(2_900), "{:?}", closed.elapsed());
    bob.expect_nothing().await;
}

#[tokio::test]
async fn a_reload_does_not_count_as_a_leave() {
    let chat = ChatServer::start();
    let mut bob = ChatClient::connect_and_join(&chat, "bob", "lobby").await;
    let alice = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    let carol = ChatClient::connect_and_join(&chat, "carol", "lobby").await;
    for name in ["alice", "carol"] {
        assert_eq!(bob.expect("user_joined_room").await["user_id"], name);
    }
    alice.close().await;
    chat.until_connections(2).await;
    let mut alice = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    // Carol leaves later: a leave of alice would arrive before hers.
    carol.close().await;
    assert_eq!(bob.expect("user_left_room").await["user_id"], "carol");
    assert_eq!(alice.expect("user_left_room").await["user_id"], "carol");
    let message = alice.post("lobby", "back").await;
    assert_eq!(bob.expect("chat_message").await, message);
}
