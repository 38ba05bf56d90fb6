//! Messages from one user to another.

use serde_json::json;
use tests::chat::{ChatClient, ChatServer};

use crate::is_timestamp;

#[tokio::test]
async fn a_private_message_reaches_every_connection_of_its_target_and_nobody_else() {
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    let mut bobs = [ChatClient::connect(&chat, "bob").await, ChatClient::connect_and_join(&chat, "bob", "lobby").await];
    let mut carol = ChatClient::connect_and_join(&chat, "carol", "lobby").await;
    for name in ["bob", "carol"] {
        assert_eq!(alice.expect("user_joined_room").await["user_id"], name);
    }
    bobs[1].expect("user_joined_room").await;

    let text = "Just between us: <b>🎉</b>";
    let data = json!({ "target_user_id": "bob", "text": text, "from_user_id": "root" });
    let sent = alice.request("private_message", data).await;
    assert_eq!(sent, json!({ "delivered": 2, "complete": true }));
    for bob in &mut bobs {
        let message = bob.expect("private_message").await;
        assert!(is_timestamp(&message["timestamp"]), "{message}");
        let expected = json!({
            "from_user_id": "alice", "from_username": "alice", "to_user_id": "bob", "text": text,
            "timestamp": message["timestamp"],
        });
        assert_eq!(message, expected, "the server sets the sender");
    }
    alice.send("private_message", json!({ "target_user_id": "bob", "text": "again" })).await;
    assert_eq!(alice.expect("private_message_sent").await, json!({ "delivered": 2, "complete": true }));
    for bob in &mut bobs {
        assert_eq!(bob.expect("private_message").await["text"], "again");
        bob.expect_nothing().await;
    }
    carol.expect_nothing().await;
    alice.expect_nothing().await;
}

#[tokio::test]
async fn a_message_to_an_offline_user_is_lost_and_the_sender_is_notified() {
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect(&chat, "alice").await;
    let nobody = json!({ "delivered": 0, "complete": true });
    let to_bob = json!({ "target_user_id": "bob", "text": "Are you there?" });
    assert_eq!(alice.request("private_message", to_bob.clone()).await, nobody);
    ChatClient::connect(&chat, "bob").await.close().await;
    chat.until_connections(1).await;
    assert_eq!(alice.request("private_message", to_bob).await, nobody);
    // The message is not stored either.
    ChatClient::connect(&chat, "bob").await.expect_nothing().await;
}

#[tokio::test]
async fn messages_keep_their_order_also_to_oneself() {
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect(&chat, "alice").await;
    let mut bob = ChatClient::connect(&chat, "bob").await;
    let (earlier, sent) =
        alice.request_with_earlier("private_message", json!({ "target_user_id": "alice", "text": "note" })).await;
    assert_eq!((earlier.len(), &earlier[0]["data"]["text"], &sent["delivered"]), (1, &json!("note"), &json!(1)));
    for n in 0..20 {
        alice.send("private_message", json!({ "target_user_id": "bob", "text": n.to_string() })).await;
    }
    for n in 0..20 {
        assert_eq!(bob.expect("private_message").await["text"], n.to_string());
        assert_eq!(alice.expect("private_message_sent").await["delivered"], 1);
    }
    bob.request("private_message", json!({ "target_user_id": "alice", "text": "got all" })).await;
    assert_eq!(alice.expect("private_message").await["from_user_id"], "bob");
}
