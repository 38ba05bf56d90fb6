//! Who is writing.

use serde_json::{Value, json};
use tests::chat::{ChatClient, ChatServer};

#[tokio::test]
async fn the_others_in_the_room_see_who_is_typing() {
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    let mut again = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    let mut bob = ChatClient::connect_and_join(&chat, "bob", "lobby").await;
    let mut carol = ChatClient::connect(&chat, "carol").await;
    for own in [&mut alice, &mut again] {
        own.expect("user_joined_room").await;
    }
    for (asked, told) in [("typing_start", "user_typing_start"), ("typing_stop", "user_typing_stop")] {
        assert_eq!(alice.request(asked, json!({ "room": "lobby" })).await, Value::Null);
        let expected = json!({ "room": "lobby", "user_id": "alice", "username": "alice" });
        assert_eq!(bob.expect(told).await, expected);
        // Without a `ref` nothing answers.
        alice.send(asked, json!({ "room": "lobby" })).await;
        assert_eq!(bob.expect(told).await, expected);
        alice.expect_nothing().await;
    }
    // Neither those outside nor one's own other connections.
    again.expect_nothing().await;
    carol.expect_nothing().await;
}

#[tokio::test]
async fn typing_outside_the_room_is_silently_ignored() {
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    let mut bob = ChatClient::connect(&chat, "bob").await;
    for kind in ["typing_start", "typing_stop"] {
        for room in ["lobby", "nowhere"] {
            assert_eq!(bob.request(kind, json!({ "room": room })).await, Value::Null);
            bob.send(kind, json!({ "room": room })).await;
        }
        let error = bob.request_error(kind, json!({ "room": "a/b" })).await;
        assert_eq!(error["code"], "VALIDATION_FAILED", "{error}");
    }
    bob.expect_nothing().await;
    alice.expect_nothing().await;
    assert_eq!(bob.request("list_rooms", json!({})).await["rooms"].as_array().unwrap().len(), 1, "no room was made");
}
