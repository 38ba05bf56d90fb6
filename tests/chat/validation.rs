//! Requests that break a rule.

use serde_json::json;
use tests::chat::{ChatClient, ChatServer};

use crate::is_timestamp;

#[tokio::test]
async fn an_invalid_message_is_answered_with_an_error_and_the_connection_stays_open() {
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    let nested = "[".repeat(5_000) + &"]".repeat(5_000);
    let long = json!({ "type": "chat_message", "data": { "room": "lobby", "text": "x".repeat(4_001) } }).to_string();
    for (frame, code, broken) in [
        (r#"{"type":"dance"}"#, "UNKNOWN_MESSAGE_TYPE", &[][..]),
        (r#"{"type":"chat_message","data":{"room":"lobby"}}"#, "VALIDATION_FAILED", &[("text", "required")]),
        (r#"{"type":"chat_message"}"#, "VALIDATION_FAILED", &[("room", "required"), ("text", "required")]),
        (r#"{"type":"chat_message","data":{"room":"lobby","text":7}}"#, "VALIDATION_FAILED", &[("text", "type")]),
        (r#"{"type":"chat_message","data":{"room":"lobby","text":""}}"#, "VALIDATION_FAILED", &[("text", "length")]),
        (&long, "VALIDATION_FAILED", &[("text", "length")]),
        (r#"{"type":"join_room","data":{"room":""}}"#, "VALIDATION_FAILED", &[("room", "length")]),
        (r#"{"type":"create_room","data":{"room_name":"a"}}"#, "VALIDATION_FAILED", &[("is_public", "required")]),
        (r#"{"data":{}}"#, "INVALID_ENVELOPE", &[]),
        (r#"{"type":"ping","ref":"seven"}"#, "INVALID_ENVELOPE", &[]),
        ("hello", "INVALID_JSON", &[]),
        ("", "INVALID_JSON", &[]),
        (r#"{"type":"ping""#, "INVALID_JSON", &[]),
    ] {
        let shown = frame.get(..80).unwrap_or(frame);
        alice.send_text(frame).await;
        let message = alice.next().await;
        let error = &message["data"];
        assert_eq!((&message["type"], &error["code"]), (&json!("error"), &json!(code)), "{shown}: {message}");
        assert_eq!(message.get("ref"), None, "{shown}: {message}");
        assert_eq!((&error["category"], &error["severity"]), (&json!("validation"), &json!("low")), "{shown}: {error}");
        assert_eq!(error["retryable"], false, "{shown}: {error}");
        assert_eq!(error["error_id"].as_str().unwrap().len(), 36, "{shown}: {error}");
        assert!(is_timestamp(&error["timestamp"]), "{shown}: {error}");
        assert!(error["message"].is_string() && error["details"].is_object(), "{shown}: {error}");
        let errors = error["details"]["errors"].as_array().cloned().unwrap_or_default();
        let found: Vec<_> = errors.iter().map(|each| (each["field"].as_str(), each["rule"].as_str())).collect();
        let wanted: Vec<_> = broken.iter().map(|(field, rule)| (Some(*field), Some(*rule))).collect();
        assert_eq!(found, wanted, "{shown}: {error}");
        alice.expect_nothing().await;
    }
    // Deep nesting, in any place, neither crashes the server nor closes the connection.
    for frame in [
        nested.clone(),
        format!(r#"{{"type":"chat_message","data":{nested}}}"#),
        format!(r#"{{"type":"chat_message","data":{{"room":"lobby","text":{nested}}}}}"#),
        format!(r#"{{"type":{nested}}}"#),
        "[".repeat(5_000),
    ] {
        alice.send_text(frame).await;
        let error = alice.expect("error").await;
        assert_eq!(error["category"], "validation", "{error}");
        assert!(error["details"].is_object(), "{error}");
        alice.expect_nothing().await;
    }
    let error = alice.request_error("dance", json!({})).await;
    assert_eq!(error["code"], "UNKNOWN_MESSAGE_TYPE", "{error}");
    alice.post("lobby", "still here").await;
}

#[tokio::test]
async fn names_of_rooms_and_texts_outside_the_limits_are_refused() {
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect(&chat, "alice").await;
    let longest = "x".repeat(50);
    for good in ["a", "Tea room", "v1.2_x-y", "a b c", &longest] {
        alice.join(good).await;
    }
    for bad in
        ["", " a", "a ", " ", "a/b", "a:b", "a*", "{a}", "Zürich", "a\nb", "a\u{0}", "a\u{202e}b", &"x".repeat(51)]
    {
        // The server closes a connection after too many errors.
        let mut alice = ChatClient::connect(&chat, "alice").await;
        for (kind, field, data) in [
            ("join_room", "room", json!({ "room": bad })),
            ("leave_room", "room", json!({ "room": bad })),
            ("create_room", "room_name", json!({ "room_name": bad, "is_public": true })),
            ("invite", "room", json!({ "room": bad, "user_id": "bob" })),
            ("get_room_users", "room", json!({ "room": bad })),
            ("get_message_history", "room", json!({ "room": bad, "limit": 1 })),
            ("chat_message", "room", json!({ "room": bad, "text": "x" })),
            ("typing_start", "room", json!({ "room": bad })),
            ("typing_stop", "room", json!({ "room": bad })),
        ] {
            let error = alice.request_error(kind, data).await;
            assert_eq!(error["code"], "VALIDATION_FAILED", "{kind} {bad:?}: {error}");
            assert_eq!(error["details"]["errors"][0]["field"], field, "{kind} {bad:?}: {error}");
        }
    }
    // The limit counts characters and not bytes.
    for text in ["x".repeat(4_000), "🎉".repeat(4_000)] {
        assert_eq!(alice.post("a", &text).await["text"], text);
    }
    let error = alice.request_error("chat_message", json!({ "room": "a", "text": "🎉".repeat(4_001) })).await;
    assert_eq!(error["details"]["errors"][0]["rule"], "length", "{error}");
    let error =
        alice.request_error("private_message", json!({ "target_user_id": "bob", "text": "🎉".repeat(4_001) })).await;
    assert_eq!(error["details"]["errors"][0]["field"], "text", "{error}");
}

#[tokio::test]
async fn user_ids_outside_the_limits_are_refused() {
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect(&chat, "alice").await;
    alice.request("create_room", json!({ "room_name": "secret", "is_public": false })).await;
    for good in ["a", "A.b_c-9", &"x".repeat(64)] {
        alice.request("invite", json!({ "room": "secret", "user_id": good })).await;
        alice.request("private_message", json!({ "target_user_id": good, "text": "hi" })).await;
    }
    for bad in ["", " ", "a b", "a/b", "a:b", "älice", "a\n", "a\u{0}", "a\u{202e}b", "<i>", &"x".repeat(65)] {
        for (kind, field, data) in [
            ("invite", "user_id", json!({ "room": "secret", "user_id": bad })),
            ("private_message", "target_user_id", json!({ "target_user_id": bad, "text": "hi" })),
        ] {
            let error = alice.request_error(kind, data).await;
            assert_eq!(error["code"], "VALIDATION_FAILED", "{kind} {bad:?}: {error}");
            assert_eq!(error["details"]["errors"][0]["field"], field, "{kind} {bad:?}: {error}");
        }
    }
}

#[tokio::test]
async fn an_error_names_the_field_of_a_wrong_value_and_does_not_repeat_the_value() {
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect(&chat, "alice").await;
    for data in [json!({ "room": {} }), json!({ "room": ["lobby"] }), json!({ "room": null }), json!({ "room": 7 })] {
        let error = alice.request_error("join_room", data).await;
        assert_eq!(error["details"]["errors"][0]["field"], "room", "{error}");
    }
    let huge = "x".repeat(60_000);
    for frame in
        [json!({ "type": huge }), json!({ "type": {} }), json!({ "type": "join_room", "data": { "room": huge } })]
    {
        alice.send_text(frame.to_string()).await;
        let error = alice.expect("error").await;
        assert_eq!(error["category"], "validation", "{error}");
        assert!(error.to_string().len() < 1_000, "the error repeats the value");
    }
    alice.expect_nothing().await;
}
