//! Who is writing.

use serde_json::{Value, json};
use tests::chat::{ChatServer, Talker};

#[tokio::test]
async fn the_others_in_the_room_see_who_is_typing() {
    let chat = ChatServer::start();
    let mut alice = Talker::in_room(&chat, "alice", "lobby").await;
    let mut again = Talker::in_room(&chat, "alice", "lobby").await;
    let mut bob = Talker::in_room(&chat, "bob", "lobby").await;
    let mut carol = Talker::connect(&chat, "carol").await;
    for own in [&mut alice, &mut again] {
        own.expect("user_joined_room").await;
    }
    for (asked, told) in [("typing_start", "user_typing_start"), ("typing_stop", "user_typing_stop")] {
        assert_eq!(alice.reply(asked, json!({ "room": "lobby" })).await, Value::Null);
        let expected = json!({ "room": "lobby", "user_id": "alice", "username": "alice" });
        assert_eq!(bob.expect(told).await, expected);
        // Without a `ref` nothing answers.
        alice.say(asked, json!({ "room": "lobby" })).await;
        assert_eq!(bob.expect(told).await, expected);
        alice.hears_nothing().await;
    }
    // Neither those outside nor one's own other connections.
    again.hears_nothing().await;
    carol.hears_nothing().await;
}

#[tokio::test]
async fn typing_outside_the_room_is_silently_ignored() {
    let chat = ChatServer::start();
    let mut alice = Talker::in_room(&chat, "alice", "lobby").await;
    let mut bob = Talker::connect(&chat, "bob").await;
    for kind in ["typing_start", "typing_stop"] {
        for room in ["lobby", "nowhere"] {
            assert_eq!(bob.reply(kind, json!({ "room": room })).await, Value::Null);
            bob.say(kind, json!({ "room": room })).await;
        }
        let error = bob.refused(kind, json!({ "room": "a/b" })).await;
        assert_eq!(error["code"], "VALIDATION_FAILED", "{error}");
    }
    bob.hears_nothing().await;
    alice.hears_nothing().await;
    assert_eq!(bob.reply("list_rooms", json!({})).await["rooms"].as_array().unwrap().len(), 1, "no room was made");
}
