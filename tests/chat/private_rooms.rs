//! Private rooms and invitations.

use serde_json::json;
use tests::chat::{ChatClient, ChatServer};

use crate::texts;

#[tokio::test]
async fn a_private_room_is_hidden_from_others_and_closed_to_them() {
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect(&chat, "alice").await;
    let created = alice.request("create_room", json!({ "room_name": "secret", "is_public": false })).await;
    assert_eq!(created, json!({ "room": "secret", "is_public": false }));
    alice.post("secret", "psst").await;

    let mut bob = ChatClient::connect(&chat, "bob").await;
    for (kind, data) in [
        ("join_room", json!({ "room": "secret" })),
        ("create_room", json!({ "room_name": "secret", "is_public": true })),
        ("get_room_users", json!({ "room": "secret" })),
        ("get_message_history", json!({ "room": "secret", "limit": 10 })),
        ("chat_message", json!({ "room": "secret", "text": "hello?" })),
    ] {
        let error = bob.request_error(kind, data).await;
        assert_eq!(error["category"], "authorization", "{kind}: {error}");
    }
    assert_eq!(bob.request("list_rooms", json!({})).await, json!({ "rooms": [] }));
    assert_eq!(chat.get("/api/rooms/secret/messages").await.status, 403);

    let secret = json!({ "name": "secret", "user_count": 1, "created_by": "alice", "is_public": false });
    assert_eq!(alice.request("list_rooms", json!({})).await, json!({ "rooms": [secret] }));
    // The creator can join again.
    alice.request("leave_room", json!({ "room": "secret" })).await;
    assert_eq!(texts(&alice.join("secret").await), ["psst"]);
}

/// Connects alice, who creates the private room `secret`.
async fn alice_in_secret(chat: &ChatServer) -> ChatClient {
    let mut alice = ChatClient::connect(chat, "alice").await;
    alice.request("create_room", json!({ "room_name": "secret", "is_public": false })).await;
    alice
}

#[tokio::test]
async fn an_invited_user_is_notified_on_every_connection_and_can_join() {
    let chat = ChatServer::start();
    let mut alice = alice_in_secret(&chat).await;
    let mut bobs = [ChatClient::connect(&chat, "bob").await, ChatClient::connect(&chat, "bob").await];
    let mut carol = ChatClient::connect(&chat, "carol").await;
    let invited = json!({ "room": "secret", "from_user_id": "alice" });
    assert_eq!(alice.request("invite", json!({ "room": "secret", "user_id": "bob" })).await, invited);
    for bob in &mut bobs {
        assert_eq!(bob.expect("invited").await, invited);
    }
    let [mut bob, mut other] = bobs;
    assert_eq!(bob.request("join_room", json!({ "room": "secret" })).await["is_public"], false);
    assert_eq!(bob.expect("room_info").await["user_count"], 2);
    bob.expect("message_history").await;
    assert_eq!(alice.expect("user_joined_room").await["user_id"], "bob");
    assert_eq!(bob.request("list_rooms", json!({})).await["rooms"][0]["name"], "secret");
    // Without a `ref` the answer has its own type. An admitted user can invite others.
    bob.send("invite", json!({ "room": "secret", "user_id": "carol" })).await;
    let by_bob = json!({ "room": "secret", "from_user_id": "bob" });
    assert_eq!(bob.expect("invited").await, by_bob);
    assert_eq!(carol.expect("invited").await, by_bob);
    carol.join("secret").await;
    other.expect_nothing().await;
}

#[tokio::test]
async fn an_invitation_of_an_offline_user_is_stored_and_survives_a_restart() {
    let mut chat = ChatServer::start();
    let mut alice = alice_in_secret(&chat).await;
    for _ in 0..2 {
        alice.request("invite", json!({ "room": "secret", "user_id": "bob" })).await;
    }
    chat.crash_and_restart();
    let mut bob = ChatClient::connect_and_join(&chat, "bob", "secret").await;
    assert_eq!(bob.request("list_rooms", json!({})).await["rooms"][0]["user_count"], 1);
}

#[tokio::test]
async fn only_members_of_a_private_room_invite() {
    let chat = ChatServer::start();
    let mut alice = alice_in_secret(&chat).await;
    let mut bob = ChatClient::connect_and_join(&chat, "bob", "lobby").await;
    for guest in ["bob", "carol"] {
        let error = bob.request_error("invite", json!({ "room": "secret", "user_id": guest })).await;
        assert_eq!(error["category"], "authorization", "{error}");
    }
    let error = bob.request_error("join_room", json!({ "room": "secret" })).await;
    assert_eq!(error["category"], "authorization", "{error}");
    let error = bob.request_error("invite", json!({ "room": "nowhere", "user_id": "carol" })).await;
    assert_eq!((&error["category"], &error["code"]), (&json!("validation"), &json!("NO_SUCH_ROOM")), "{error}");
    let error = bob.request_error("invite", json!({ "room": "lobby", "user_id": "carol" })).await;
    assert_eq!(error["category"], "validation", "{error}");
    assert!(error["message"].as_str().unwrap().contains("public"), "{error}");
    // A refused invitation notifies nobody.
    bob.expect_nothing().await;
    alice.expect_nothing().await;
}
