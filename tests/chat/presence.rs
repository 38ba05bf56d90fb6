//! Who is in a room, whatever becomes of connections.

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
    let said = second.post("lobby", "from the second").await;
    assert_eq!(first.expect("chat_message").await, said, "one's own arrival is no news");
    assert_eq!(bob.expect("chat_message").await, said);

    first.close().await;
    chat.until_connections(2).await;
    let said = second.post("lobby", "still here").await;
    assert_eq!(bob.expect("chat_message").await, said);

    let lost = Instant::now();
    second.close().await;
    let left = json!({ "room": "lobby", "user_id": "alice", "username": "alice" });
    assert_eq!(bob.expect("user_left_room").await, left);
    assert!(lost.elapsed() >= Duration::from_millis(2_900), "{:?}", lost.elapsed());
    bob.expect_nothing().await;
}

#[tokio::test]
async fn a_reload_is_no_leave() {
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
    // Carol goes later and for good: alice's leave would have been heard before hers.
    carol.close().await;
    assert_eq!(bob.expect("user_left_room").await["user_id"], "carol");
    assert_eq!(alice.expect("user_left_room").await["user_id"], "carol");
    let said = alice.post("lobby", "back").await;
    assert_eq!(bob.expect("chat_message").await, said);
}
