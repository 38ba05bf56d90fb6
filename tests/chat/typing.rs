//! Typing notifications.

use serde_json::{Value, json};
use tests::chat::{ChatClient, ChatServer};

#[tokio::test]
async fn the_other_members_are_notified_of_typing() {
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    let mut again = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    let mut bob = ChatClient::connect_and_join(&chat, "bob", "lobby").await;
    let mut carol = ChatClient::connect(&chat, "carol").await;
    for client in [&mut alice, &mut again] {
        client.expect("user_joined_room").await;
    }
    for (request, notification) in [("typing_start", "user_typing_start"), ("typing_stop", "user_typing_stop")] {
        assert_eq!(alice.request(request, json!({ "room": "lobby" })).await, Value::Null);
        let expected = json!({ "room": "lobby", "user_id": "alice", "username": "alice" });
        assert_eq!(bob.expect(notification).await, expected);
        // Without a `ref` there is no answer.
        alice.send(request, json!({ "room": "lobby" })).await;
        assert_eq!(bob.expect(notification).await, expected);
        alice.expect_nothing().await;
    }
    // Neither clients outside the room nor other connections of the same user are notified.
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
    assert_eq!(bob.request("list_rooms", json!({})).await["rooms"].as_array().unwrap().len(), 1, "no room was created");
}
