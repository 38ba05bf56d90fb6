//! Every request, with a `ref` and without one: the same data, as a reply or under its own type.

use serde_json::{Value, json};
use tests::chat::{ChatClient, ChatServer};

/// Leaves out what differs from one message to the next.
fn without_times(mut data: Value) -> Value {
    for name in ["id", "timestamp"] {
        if let Some(object) = data.as_object_mut() {
            object.remove(name);
        }
    }
    data
}

/// What a request is answered with, and whether the answer comes before all else.
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

fn request(kind: &str, fresh: &str) -> Value {
    match kind {
        "chat_message" => json!({ "room": "lobby", "text": "hello" }),
        "create_room" => json!({ "room_name": fresh, "is_public": true }),
        "invite" => json!({ "room": "secret", "user_id": "bob" }),
        "get_message_history" => json!({ "room": "quiet", "limit": 5 }),
        "private_message" => json!({ "target_user_id": "nobody", "text": "hello" }),
        "list_rooms" | "ping" => json!({}),
        _ => json!({ "room": "lobby" }),
    }
}

/// Everything that answers a request: what comes until the server answers a ping that follows it.
async fn heard(talker: &mut ChatClient, envelope: Value) -> Vec<Value> {
    talker.send_text(envelope.to_string()).await;
    talker.send_text(r#"{"type":"ping","ref":999}"#).await;
    let mut heard = Vec::new();
    loop {
        match talker.next().await {
            pong if pong["ref"] == 999 => return heard,
            message => heard.push(message),
        }
    }
}

#[tokio::test]
async fn a_request_is_answered_alike_with_a_ref_and_without() {
    for (kind, answer, is_first) in ANSWERS {
        // A chat for each: lists depend on what was asked before.
        let chat = ChatServer::start();
        let mut alice = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
        alice.join("quiet").await;
        alice.request("create_room", json!({ "room_name": "secret", "is_public": false })).await;

        let plain = heard(&mut alice, json!({ "type": kind, "data": request(kind, "fresh") })).await;
        if kind == "leave_room" {
            alice.join("lobby").await;
        }
        // A room that is there already is joined, so this one is another.
        let again = request(kind, if kind == "create_room" { "other" } else { "fresh" });
        let referred = heard(&mut alice, json!({ "type": kind, "data": again, "ref": 7 })).await;

        let replies: Vec<_> = referred.iter().filter(|message| message["ref"] == 7).collect();
        assert_eq!(replies.len(), 1, "{kind}: one answer: {referred:?}");
        let expected_type = if kind == "ping" { "pong" } else { "reply" };
        assert_eq!(replies[0]["type"], expected_type, "{kind}");
        assert_eq!(referred[0]["ref"] == 7, is_first, "{kind}: the order: {referred:?}");
        let Some(answer) = answer else {
            assert_eq!(replies[0]["data"], Value::Null, "{kind}");
            let rest = |messages: &[Value]| -> Vec<Value> {
                let others = messages.iter().filter(|message| message.get("ref").is_none());
                others.map(|message| without_times(message["data"].clone())).collect()
            };
            assert_eq!(rest(&plain), rest(&referred), "{kind}: the rest is the same");
            continue;
        };
        assert_eq!(plain[0]["type"], answer, "{kind}");
        assert_eq!(plain[0].get("ref"), None, "{kind}");
        let mut replied = replies[0]["data"].clone();
        if kind == "create_room" {
            assert_eq!(replied["room"], "other");
            replied["room"] = json!("fresh");
        }
        assert_eq!(plain[0]["data"], replied, "{kind}");
        assert_eq!(plain.len(), referred.len(), "{kind}: {plain:?} {referred:?}");
        for (one, other) in plain.iter().zip(&referred).skip(1) {
            assert_eq!((&one["type"], &one["data"]), (&other["type"], &other["data"]), "{kind}");
        }
    }
}

#[tokio::test]
async fn an_error_has_the_ref_of_its_cause_and_names_its_type() {
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
            let heard = heard(&mut alice, envelope).await;
            assert_eq!(heard.len(), 1, "{kind}: {heard:?}");
            assert_eq!(heard[0]["type"], "error", "{kind}");
            assert_eq!(heard[0]["data"]["code"], code, "{kind}: {heard:?}");
            assert_eq!(heard[0]["data"]["message_type"], kind);
            assert_eq!(heard[0].get("ref").and_then(Value::as_u64), reference, "{kind}");
        }
    }
}
