//! Every request with and without a `ref`: the answer has the same data, as a reply or under its own type.

use serde_json::{Value, json};
use tests::chat::{ChatClient, ChatServer};

/// Removes the fields that differ between two messages.
fn without_ids_and_times(mut data: Value) -> Value {
    for name in ["id", "timestamp"] {
        if let Some(object) = data.as_object_mut() {
            object.remove(name);
        }
    }
    data
}

/// Each request with the type of its answer, and whether the answer precedes all other messages.
const ANSWERS: [(&str, Option<&str>, bool); 12] = [
    ("chat_message", None, false),
    ("join_room", Some("room_joined"), true),
    ("leave_room", Some("room_left"), true),
    ("create_room", Some("room_created"), true),
    ("invite", Some("invited"), true),
    ("list_rooms", Some("rooms_list"), true),
    ("get_room_users", Some("room_users"), true),
    ("get_message_history", Some("message_history"), true),
    ("private_message", Some("private_message_sent"), true),
    ("typing_start", None, true),
    ("typing_stop", None, true),
    ("ping", Some("pong"), true),
];

fn request(message_type: &str, new_room: &str) -> Value {
    match message_type {
        "chat_message" => json!({ "room": "lobby", "text": "hello" }),
        "create_room" => json!({ "room_name": new_room, "is_public": true }),
        "invite" => json!({ "room": "secret", "user_id": "bob" }),
        "get_message_history" => json!({ "room": "quiet", "limit": 5 }),
        "private_message" => json!({ "target_user_id": "nobody", "text": "hello" }),
        "list_rooms" | "ping" => json!({}),
        _ => json!({ "room": "lobby" }),
    }
}

/// Sends an envelope and a ping, and returns the messages that arrive before the pong.
async fn answers(client: &mut ChatClient, envelope: Value) -> Vec<Value> {
    client.send_text(envelope.to_string()).await;
    client.send_text(r#"{"type":"ping","ref":999}"#).await;
    let mut answers = Vec::new();
    loop {
        match client.next().await {
            pong if pong["ref"] == 999 => return answers,
            message => answers.push(message),
        }
    }
}

#[tokio::test]
async fn a_request_has_the_same_answer_with_and_without_a_ref() {
    for (kind, answer, is_first) in ANSWERS {
        // Each request has a chat of its own, because lists depend on earlier requests.
        let chat = ChatServer::start();
        let mut alice = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
        alice.join("quiet").await;
        alice.request("create_room", json!({ "room_name": "secret", "is_public": false })).await;

        let plain = answers(&mut alice, json!({ "type": kind, "data": request(kind, "new") })).await;
        if kind == "leave_room" {
            alice.join("lobby").await;
        }
        // The second `create_room` needs another name, because an existing room is joined instead.
        let again = request(kind, if kind == "create_room" { "other" } else { "new" });
        let with_ref = answers(&mut alice, json!({ "type": kind, "data": again, "ref": 7 })).await;

        let replies: Vec<_> = with_ref.iter().filter(|message| message["ref"] == 7).collect();
        assert_eq!(replies.len(), 1, "{kind}: exactly one reply: {with_ref:?}");
        let expected_type = if kind == "ping" { "pong" } else { "reply" };
        assert_eq!(replies[0]["type"], expected_type, "{kind}");
        assert_eq!(with_ref[0]["ref"] == 7, is_first, "{kind}: the order: {with_ref:?}");
        let Some(answer) = answer else {
            assert_eq!(replies[0]["data"], Value::Null, "{kind}");
            let rest = |messages: &[Value]| -> Vec<Value> {
                let others = messages.iter().filter(|message| message.get("ref").is_none());
                others.map(|message| without_ids_and_times(message["data"].clone())).collect()
            };
            assert_eq!(rest(&plain), rest(&with_ref), "{kind}: the other messages are the same");
            continue;
        };
        assert_eq!(plain[0]["type"], answer, "{kind}");
        assert_eq!(plain[0].get("ref"), None, "{kind}");
        let mut replied = replies[0]["data"].clone();
        if kind == "create_room" {
            assert_eq!(replied["room"], "other");
            replied["room"] = json!("new");
        }
        assert_eq!(plain[0]["data"], replied, "{kind}");
        assert_eq!(plain.len(), with_ref.len(), "{kind}: {plain:?} {with_ref:?}");
        for (one, other) in plain.iter().zip(&with_ref).skip(1) {
            assert_eq!((&one["type"], &one["data"]), (&other["type"], &other["data"]), "{kind}");
        }
    }
}

#[tokio::test]
async fn an_error_has_the_ref_and_the_message_type_of_its_request() {
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect(&chat, "alice").await;
    for (kind, data, code) in [
        ("chat_message", json!({ "room": "lobby", "text": "x" }), "FORBIDDEN"),
        ("leave_room", json!({ "room": "lobby" }), "FORBIDDEN"),
        ("invite", json!({ "room": "lobby", "user_id": "bob" }), "NO_SUCH_ROOM"),
        ("get_room_users", json!({ "room": "lobby" }), "NO_SUCH_ROOM"),
        ("get_message_history", json!({ "room": "lobby", "limit": 0 }), "VALIDATION_FAILED"),
        ("private_message", json!({ "target_user_id": "a b", "text": "x" }), "VALIDATION_FAILED"),
        ("join_room", json!({}), "VALIDATION_FAILED"),
    ] {
        for reference in [None, Some(0_u64), Some(u64::MAX)] {
            let mut envelope = json!({ "type": kind, "data": data });
            if let Some(reference) = reference {
                envelope["ref"] = json!(reference);
            }
            let answers = answers(&mut alice, envelope).await;
            assert_eq!(answers.len(), 1, "{kind}: {answers:?}");
            assert_eq!(answers[0]["type"], "error", "{kind}");
            assert_eq!(answers[0]["data"]["code"], code, "{kind}: {answers:?}");
            assert_eq!(answers[0]["data"]["message_type"], kind);
            assert_eq!(answers[0].get("ref").and_then(Value::as_u64), reference, "{kind}");
        }
    }
}
