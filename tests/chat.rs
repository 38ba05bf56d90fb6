//! The chat from outside: its program, its WebSocket protocol and its HTTP routes.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test stops where it fails")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::chat::{ChatServer, Folder, Talker, program, surroundings};

/// Whether a text is a time in UTC with milliseconds, such as `2026-01-31T12:00:00.000Z`.
fn is_timestamp(value: &Value) -> bool {
    let form: String = value.as_str().unwrap().chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    form == "0000-00-00T00:00:00.000Z"
}

fn texts(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_client_is_welcomed_by_its_name() {
    let chat = ChatServer::start();
    let alice = Talker::connect(&chat, "Alice_B-2.c").await;
    assert_eq!(alice.welcome["user_id"], "Alice_B-2.c");
    assert_eq!(alice.welcome["username"], "Alice_B-2.c");
    assert!(alice.welcome["message"].is_string());
    assert!(is_timestamp(&alice.welcome["timestamp"]), "{}", alice.welcome);
}

#[tokio::test]
async fn joining_is_answered_first_and_then_shows_the_room_and_what_was_said() {
    let chat = ChatServer::start();
    let mut alice = Talker::connect(&chat, "alice").await;
    let joined = alice.reply("join_room", json!({ "room": "lobby" })).await;
    assert_eq!(joined, json!({ "room": "lobby", "is_public": true }));
    let info = json!({ "room": "lobby", "user_count": 1, "created_by": "alice", "is_public": true });
    assert_eq!(alice.expect("room_info").await, info);
    assert_eq!(alice.expect("message_history").await, json!({ "room": "lobby", "messages": [] }));
    let said = alice.post("lobby", "first").await;

    let mut bob = Talker::connect(&chat, "bob").await;
    bob.say("join_room", json!({ "room": "lobby" })).await;
    assert_eq!(bob.expect("room_joined").await, joined);
    assert_eq!(bob.expect("room_info").await["user_count"], 2);
    assert_eq!(bob.expect("message_history").await, json!({ "room": "lobby", "messages": [said] }));
    bob.hears_nothing().await;

    let arrival = alice.expect("user_joined_room").await;
    assert!(is_timestamp(&arrival["timestamp"]), "{arrival}");
    let expected = json!({ "room": "lobby", "user_id": "bob", "username": "bob", "timestamp": arrival["timestamp"] });
    assert_eq!(arrival, expected);
    alice.hears_nothing().await;
}

#[tokio::test]
async fn joining_shows_the_last_fifty_messages() {
    let chat = ChatServer::start();
    let mut alice = Talker::in_room(&chat, "alice", "lobby").await;
    for n in 0..55 {
        alice.post("lobby", &format!("line {n}")).await;
    }
    let mut bob = Talker::connect(&chat, "bob").await;
    let expected: Vec<_> = (5..55).map(|n| format!("line {n}")).collect();
    assert_eq!(texts(&bob.join("lobby").await), expected);
}

#[tokio::test]
async fn joining_twice_answers_the_same_again_and_tells_nobody() {
    let chat = ChatServer::start();
    let mut alice = Talker::in_room(&chat, "alice", "lobby").await;
    let mut bob = Talker::in_room(&chat, "bob", "lobby").await;
    alice.expect("user_joined_room").await;
    let said = bob.post("lobby", "once").await;
    assert_eq!(bob.join("lobby").await, std::slice::from_ref(&said));
    // What came first is heard first, so nothing came between.
    assert_eq!(alice.expect("chat_message").await, said);
    let second = bob.post("lobby", "and once only").await;
    assert_eq!(alice.expect("chat_message").await, second);
}

#[tokio::test]
async fn a_message_reaches_everybody_in_the_room_and_is_acknowledged() {
    let chat = ChatServer::start();
    let mut alice = Talker::in_room(&chat, "alice", "lobby").await;
    let mut bob = Talker::in_room(&chat, "bob", "lobby").await;
    let mut carol = Talker::in_room(&chat, "carol", "elsewhere").await;
    alice.expect("user_joined_room").await;

    // The fields that say who one is are the server's.
    let data = json!({ "room": "lobby", "text": "Grüße 🎉 <b>", "user_id": "root", "username": "root" });
    let (before, reply) = alice.ask("chat_message", data).await;
    assert_eq!(reply, Value::Null);
    let said = before[0]["data"].clone();
    assert_eq!(before, [json!({ "type": "chat_message", "data": said })]);
    assert!(is_timestamp(&said["timestamp"]), "{said}");
    assert_eq!(said["id"].as_str().unwrap().len(), 36, "{said}");
    let expected = json!({
        "id": said["id"], "room": "lobby", "user_id": "alice", "username": "alice", "text": "Grüße 🎉 <b>",
        "timestamp": said["timestamp"],
    });
    assert_eq!(said, expected);
    assert_eq!(bob.expect("chat_message").await, said);

    // Without a `ref` there is no reply.
    alice.say("chat_message", json!({ "room": "lobby", "text": "again" })).await;
    let again = alice.expect("chat_message").await;
    assert_eq!(again["text"], "again");
    assert!(again["id"].as_str() > said["id"].as_str(), "ids rise: {said} {again}");
    assert_eq!(bob.expect("chat_message").await, again);
    for talker in [&mut alice, &mut bob, &mut carol] {
        talker.hears_nothing().await;
    }
}

#[tokio::test]
async fn only_members_may_post() {
    let chat = ChatServer::start();
    let mut alice = Talker::in_room(&chat, "alice", "lobby").await;
    let mut bob = Talker::connect(&chat, "bob").await;
    for room in ["lobby", "nowhere"] {
        let error = bob.refused("chat_message", json!({ "room": room, "text": "let me in" })).await;
        assert_eq!((&error["category"], &error["retryable"]), (&json!("authorization"), &json!(false)), "{error}");
    }
    bob.say("chat_message", json!({ "room": "lobby", "text": "let me in" })).await;
    assert_eq!(bob.expect("error").await["code"], "FORBIDDEN");
    alice.hears_nothing().await;
    // "Member" is a connection, not a user.
    let mut other_alice = Talker::connect(&chat, "alice").await;
    let error = other_alice.refused("chat_message", json!({ "room": "lobby", "text": "it is me" })).await;
    assert_eq!(error["category"], "authorization", "{error}");
    assert_eq!(texts(&bob.join("lobby").await), Vec::<&str>::new(), "nothing was stored");
}

#[tokio::test]
async fn leaving_tells_the_others_at_once() {
    let chat = ChatServer::start();
    let mut alice = Talker::in_room(&chat, "alice", "lobby").await;
    let mut bob = Talker::in_room(&chat, "bob", "lobby").await;
    alice.expect("user_joined_room").await;
    assert_eq!(bob.reply("leave_room", json!({ "room": "lobby" })).await, json!({ "room": "lobby" }));
    let left = json!({ "room": "lobby", "user_id": "bob", "username": "bob" });
    assert_eq!(alice.expect("user_left_room").await, left);

    let error = bob.refused("leave_room", json!({ "room": "lobby" })).await;
    assert_eq!(error["category"], "authorization", "{error}");
    alice.post("lobby", "alone").await;
    bob.hears_nothing().await;

    bob.join("lobby").await;
    alice.expect("user_joined_room").await;
    bob.say("leave_room", json!({ "room": "lobby" })).await;
    assert_eq!(bob.expect("room_left").await, json!({ "room": "lobby" }));
    assert_eq!(alice.expect("user_left_room").await, left);
}

#[tokio::test]
async fn a_room_is_created_once_and_then_joined_by_who_asks_for_it() {
    let chat = ChatServer::start();
    let mut alice = Talker::connect(&chat, "alice").await;
    let room = json!({ "room_name": "tea room", "is_public": true });
    let created = alice.reply("create_room", room.clone()).await;
    assert_eq!(created, json!({ "room": "tea room", "is_public": true }));
    alice.post("tea room", "Milk or lemon?").await;

    let mut bob = Talker::connect(&chat, "bob").await;
    // Of an existing room it matters what it is, not what was asked for.
    bob.say("create_room", json!({ "room_name": "tea room", "is_public": false })).await;
    assert_eq!(bob.expect("room_joined").await, created);
    let info = json!({ "room": "tea room", "user_count": 2, "created_by": "alice", "is_public": true });
    assert_eq!(bob.expect("room_info").await, info);
    let history = bob.expect("message_history").await;
    assert_eq!(texts(history["messages"].as_array().unwrap()), ["Milk or lemon?"]);
    assert_eq!(alice.expect("user_joined_room").await["user_id"], "bob");

    bob.say("create_room", json!({ "room_name": "other", "is_public": true })).await;
    assert_eq!(bob.expect("room_created").await, json!({ "room": "other", "is_public": true }));
    bob.post("other", "I am in it").await;
}

#[tokio::test]
async fn a_private_room_is_hidden_from_others_and_closed_to_them() {
    let chat = ChatServer::start();
    let mut alice = Talker::connect(&chat, "alice").await;
    let created = alice.reply("create_room", json!({ "room_name": "secret", "is_public": false })).await;
    assert_eq!(created, json!({ "room": "secret", "is_public": false }));
    alice.post("secret", "psst").await;

    let mut bob = Talker::connect(&chat, "bob").await;
    for (kind, data) in [
        ("join_room", json!({ "room": "secret" })),
        ("create_room", json!({ "room_name": "secret", "is_public": true })),
        ("get_room_users", json!({ "room": "secret" })),
        ("get_message_history", json!({ "room": "secret", "limit": 10 })),
        ("chat_message", json!({ "room": "secret", "text": "hello?" })),
    ] {
        let error = bob.refused(kind, data).await;
        assert_eq!(error["category"], "authorization", "{kind}: {error}");
    }
    assert_eq!(bob.reply("list_rooms", json!({})).await, json!({ "rooms": [] }));
    assert_eq!(chat.get("/api/rooms/secret/messages").await.status, 403);

    let secret = json!({ "name": "secret", "user_count": 1, "created_by": "alice", "is_public": false });
    assert_eq!(alice.reply("list_rooms", json!({})).await, json!({ "rooms": [secret] }));
    // Its creator comes back.
    alice.reply("leave_room", json!({ "room": "secret" })).await;
    assert_eq!(texts(&alice.join("secret").await), ["psst"]);
}

#[tokio::test]
async fn rooms_are_listed_by_name_with_how_many_users_are_in_them() {
    let chat = ChatServer::start();
    let mut alice = Talker::in_room(&chat, "alice", "b").await;
    let mut again = Talker::in_room(&chat, "alice", "b").await;
    let mut bob = Talker::in_room(&chat, "bob", "b").await;
    alice.expect("user_joined_room").await;
    bob.join("a").await;
    bob.reply("leave_room", json!({ "room": "a" })).await;
    let room =
        |name, count, creator| json!({ "name": name, "user_count": count, "created_by": creator, "is_public": true });
    let rooms = json!({ "rooms": [room("a", 0, "bob"), room("b", 2, "alice")] });
    assert_eq!(alice.reply("list_rooms", Value::Null).await, rooms);
    again.expect("user_joined_room").await;
    again.say("list_rooms", json!({})).await;
    assert_eq!(again.expect("rooms_list").await, rooms);
}

#[tokio::test]
async fn the_users_of_a_room_are_listed_each_once() {
    let chat = ChatServer::start();
    let mut alice = Talker::in_room(&chat, "alice", "lobby").await;
    let again = Talker::in_room(&chat, "alice", "lobby").await;
    let mut bob = Talker::in_room(&chat, "bob", "lobby").await;
    let mut carol = Talker::connect(&chat, "carol").await;
    let user = |name| json!({ "user_id": name, "username": name });
    let users = json!({ "room": "lobby", "users": [user("alice"), user("bob")], "total": 2 });
    assert_eq!(bob.reply("get_room_users", json!({ "room": "lobby" })).await, users);
    carol.say("get_room_users", json!({ "room": "lobby" })).await;
    assert_eq!(carol.expect("room_users").await, users);
    let error = carol.refused("get_room_users", json!({ "room": "nowhere" })).await;
    assert_eq!(error["code"], "NO_SUCH_ROOM", "{error}");

    again.close().await;
    alice.expect("user_joined_room").await;
    alice.reply("leave_room", json!({ "room": "lobby" })).await;
    chat.until_connections(3).await;
    let users = json!({ "room": "lobby", "users": [user("bob")], "total": 1 });
    assert_eq!(carol.reply("get_room_users", json!({ "room": "lobby" })).await, users);
}

#[tokio::test]
async fn history_is_read_from_the_end_or_after_a_message() {
    let chat = ChatServer::start();
    let mut alice = Talker::in_room(&chat, "alice", "lobby").await;
    let mut said = Vec::new();
    for n in 0..5 {
        said.push(alice.post("lobby", &format!("line {n}")).await);
    }
    let mut bob = Talker::connect(&chat, "bob").await;
    let last = bob.reply("get_message_history", json!({ "room": "lobby", "limit": 2 })).await;
    assert_eq!(last, json!({ "room": "lobby", "messages": said[3..] }));
    let after = json!({ "room": "lobby", "limit": 2, "after": said[1]["id"] });
    let next = json!({ "room": "lobby", "messages": said[2..4] });
    assert_eq!(bob.reply("get_message_history", after.clone()).await, next);
    bob.say("get_message_history", after).await;
    assert_eq!(bob.expect("message_history").await, next);
    let all = bob.reply("get_message_history", json!({ "room": "lobby", "limit": 100, "after": null })).await;
    assert_eq!(all["messages"], json!(said));

    for limit in [json!(0), json!(101), json!(-1), json!("10"), json!(1.5)] {
        let error = bob.refused("get_message_history", json!({ "room": "lobby", "limit": limit })).await;
        assert_eq!(error["details"]["errors"][0]["field"], "limit", "{error}");
    }
    let error = bob.refused("get_message_history", json!({ "room": "nowhere", "limit": 1 })).await;
    assert_eq!(error["code"], "NO_SUCH_ROOM", "{error}");
}

#[tokio::test]
async fn a_ping_is_answered_with_its_ref() {
    let chat = ChatServer::start();
    let mut alice = Talker::connect(&chat, "alice").await;
    alice.text(r#"{"type":"ping","ref":7}"#).await;
    assert_eq!(alice.next().await, json!({ "type": "pong", "ref": 7 }));
    alice.text(r#"{"type":"ping","data":{}}"#).await;
    assert_eq!(alice.next().await, json!({ "type": "pong" }));
}

#[tokio::test]
async fn a_mistake_is_explained_and_the_connection_stays_open() {
    let chat = ChatServer::start();
    let mut alice = Talker::in_room(&chat, "alice", "lobby").await;
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
        alice.text(frame).await;
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
        alice.hears_nothing().await;
    }
    // However deep it goes, and wherever: the server neither falls over nor gives up the connection.
    for frame in [
        nested.clone(),
        format!(r#"{{"type":"chat_message","data":{nested}}}"#),
        format!(r#"{{"type":"chat_message","data":{{"room":"lobby","text":{nested}}}}}"#),
        format!(r#"{{"type":{nested}}}"#),
        "[".repeat(5_000),
    ] {
        alice.text(frame).await;
        let error = alice.expect("error").await;
        assert_eq!(error["category"], "validation", "{error}");
        assert!(error["details"].is_object(), "{error}");
        alice.hears_nothing().await;
    }
    let error = alice.refused("dance", json!({})).await;
    assert_eq!(error["code"], "UNKNOWN_MESSAGE_TYPE", "{error}");
    alice.post("lobby", "still here").await;
}

#[tokio::test]
async fn names_of_rooms_and_texts_have_their_bounds() {
    let chat = ChatServer::start();
    let mut alice = Talker::connect(&chat, "alice").await;
    let longest = "x".repeat(50);
    for good in ["a", "Tea room", "v1.2_x-y", "a  b", &longest] {
        alice.join(good).await;
    }
    for bad in ["", " a", "a ", " ", "a/b", "a:b", "a*", "{a}", "Zürich", "a\nb", "a\u{0}", &"x".repeat(51)] {
        for (kind, field, data) in [
            ("join_room", "room", json!({ "room": bad })),
            ("leave_room", "room", json!({ "room": bad })),
            ("create_room", "room_name", json!({ "room_name": bad, "is_public": true })),
            ("get_room_users", "room", json!({ "room": bad })),
            ("get_message_history", "room", json!({ "room": bad, "limit": 1 })),
            ("chat_message", "room", json!({ "room": bad, "text": "x" })),
        ] {
            let error = alice.refused(kind, data).await;
            assert_eq!(error["code"], "VALIDATION_FAILED", "{kind} {bad:?}: {error}");
            assert_eq!(error["details"]["errors"][0]["field"], field, "{kind} {bad:?}: {error}");
        }
    }
    // Characters are counted, not bytes.
    for text in ["x".repeat(4_000), "🎉".repeat(4_000)] {
        assert_eq!(alice.post("a", &text).await["text"], text);
    }
    let error = alice.refused("chat_message", json!({ "room": "a", "text": "🎉".repeat(4_001) })).await;
    assert_eq!(error["details"]["errors"][0]["rule"], "length", "{error}");
}

#[tokio::test]
async fn a_user_with_two_connections_joins_once_and_leaves_with_the_last() {
    let chat = ChatServer::start();
    let mut bob = Talker::in_room(&chat, "bob", "lobby").await;
    let mut first = Talker::in_room(&chat, "alice", "lobby").await;
    let mut second = Talker::in_room(&chat, "alice", "lobby").await;
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
    bob.hears_nothing().await;
}

#[tokio::test]
async fn a_reload_is_no_leave() {
    let chat = ChatServer::start();
    let mut bob = Talker::in_room(&chat, "bob", "lobby").await;
    let alice = Talker::in_room(&chat, "alice", "lobby").await;
    let carol = Talker::in_room(&chat, "carol", "lobby").await;
    for name in ["alice", "carol"] {
        assert_eq!(bob.expect("user_joined_room").await["user_id"], name);
    }
    alice.close().await;
    chat.until_connections(2).await;
    let mut alice = Talker::in_room(&chat, "alice", "lobby").await;
    // Carol goes later and for good: alice's leave would have been heard before hers.
    carol.close().await;
    assert_eq!(bob.expect("user_left_room").await["user_id"], "carol");
    assert_eq!(alice.expect("user_left_room").await["user_id"], "carol");
    let said = alice.post("lobby", "back").await;
    assert_eq!(bob.expect("chat_message").await, said);
}

#[tokio::test]
async fn rooms_and_messages_outlive_the_process_and_joins_do_not() {
    let mut chat = ChatServer::start();
    let mut alice = Talker::in_room(&chat, "alice", "lobby").await;
    let said = alice.post("lobby", "Remember this").await;
    alice.reply("create_room", json!({ "room_name": "secret", "is_public": false })).await;
    alice.post("secret", "and this").await;
    // As soon as a message is answered it is stored: no time is left to write more.
    chat.crash_and_start();

    let mut alice = Talker::connect(&chat, "alice").await;
    let error = alice.refused("chat_message", json!({ "room": "lobby", "text": "am I in?" })).await;
    assert_eq!(error["category"], "authorization", "{error}");
    assert_eq!(alice.join("lobby").await, [said]);
    assert_eq!(texts(&alice.join("secret").await), ["and this"]);
    let mut bob = Talker::connect(&chat, "bob").await;
    let error = bob.refused("join_room", json!({ "room": "secret" })).await;
    assert_eq!(error["category"], "authorization", "{error}");
    let rooms = bob.reply("list_rooms", json!({})).await;
    let lobby = json!({ "name": "lobby", "user_count": 1, "created_by": "alice", "is_public": true });
    assert_eq!(rooms, json!({ "rooms": [lobby] }));
}

#[tokio::test]
async fn a_message_that_cannot_be_stored_reaches_nobody_and_may_be_tried_again() {
    let chat = ChatServer::with_small_files(600);
    let mut alice = Talker::in_room(&chat, "alice", "lobby").await;
    let mut bob = Talker::in_room(&chat, "bob", "lobby").await;
    alice.expect("user_joined_room").await;
    let text = "x".repeat(4_000);
    let mut stored = 0;
    let error = loop {
        let (before, answer) = alice.try_to_post("lobby", &text).await;
        if answer["type"] == "error" {
            assert_eq!(before, Vec::<Value>::new(), "a message that is not stored is not sent");
            break answer["data"].clone();
        }
        stored += 1;
        assert!(stored < 1_000, "the files do not grow");
    };
    assert_eq!((&error["category"], &error["retryable"]), (&json!("backend"), &json!(true)), "{error}");
    assert!(error["retry_after_ms"].as_u64() > Some(0), "{error}");
    assert!(!error.to_string().contains("sqlite") && !error.to_string().contains(".db"), "internals: {error}");
    for _ in 0..stored {
        assert_eq!(bob.expect("chat_message").await["text"], text);
    }
    bob.hears_nothing().await;
    let history = bob.reply("get_message_history", json!({ "room": "lobby", "limit": 100 })).await;
    assert_eq!(history["messages"].as_array().unwrap().len(), stored.min(100));
    alice.hears_nothing().await;
}

#[tokio::test]
async fn history_is_there_over_http_too() {
    let chat = ChatServer::start();
    let mut alice = Talker::in_room(&chat, "alice", "tea room").await;
    let mut said = Vec::new();
    for n in 0..60 {
        said.push(alice.post("tea room", &format!("line {n}")).await);
    }
    let answer = chat.get("/api/rooms/tea%20room/messages?limit=2").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.json(), json!({ "room": "tea room", "messages": said[58..], "count": 2 }));
    let default = chat.get("/api/rooms/tea%20room/messages").await.json();
    assert_eq!((&default["messages"], &default["count"]), (&json!(said[10..]), &json!(50)));
    let all = chat.get("/api/rooms/tea%20room/messages?limit=1000").await.json();
    assert_eq!(all["count"], 60);

    for limit in ["0", "1001", "-1", "1.5", "ten", "", "99999999999999999999"] {
        let answer = chat.get(&format!("/api/rooms/tea%20room/messages?limit={limit}")).await;
        assert_eq!((answer.status, answer.header("content-type")), (400, Some("application/json")), "{limit}");
        let error = &answer.json()["error"];
        assert!(error["message"].as_str().unwrap().contains("limit"), "{error}");
        assert_eq!(error["details"]["errors"][0]["field"], "limit", "{error}");
    }
    for room in ["nowhere", "%20", "%27%20OR%201=1%20--", &"x".repeat(500)] {
        let answer = chat.get(&format!("/api/rooms/{room}/messages")).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (404, &json!("NO_SUCH_ROOM")), "{room}");
    }
}

#[tokio::test]
async fn the_state_of_the_server_can_be_asked_for() {
    let chat = ChatServer::start();
    let _alice = Talker::in_room(&chat, "alice", "lobby").await;
    let _again = Talker::in_room(&chat, "alice", "lobby").await;
    let _bob = Talker::in_room(&chat, "bob", "tea room").await;
    let status = chat.get("/api/status").await.json();
    assert!(status["node"].is_string(), "{status}");
    let expected = json!({
        "status": "ok", "backend_type": "memory", "node": status["node"], "connections": 3, "users": 2, "groups": 2,
    });
    assert_eq!(status, expected);
    for path in ["/health", "/ready"] {
        assert_eq!(chat.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn the_page_is_served_whole_and_shut_against_foreign_code() {
    let chat = ChatServer::start();
    let page = chat.get("/").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));

    // All that the page names, and all that its scripts import.
    let mut wanted = vec!["chat.css".to_owned(), "icon.svg".to_owned(), "chat.js".to_owned()];
    for name in &wanted {
        assert!(page.body.contains(name), "{name}");
    }
    let mut at = 0;
    while let Some(name) = wanted.get(at).cloned() {
        let file = chat.get(&format!("/{name}")).await;
        let content_type = match name.rsplit_once('.').unwrap().1 {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            _ => "image/svg+xml",
        };
        assert_eq!((file.status, file.header("content-type")), (200, Some(content_type)), "{name}");
        assert_eq!(file.header("x-content-type-options"), Some("nosniff"), "{name}");
        let imported = file.body.split("from './").skip(1).map(|rest| rest.split('\'').next().unwrap().to_owned());
        let new: Vec<_> = imported.filter(|name| !wanted.contains(name)).collect();
        wanted.extend(new);
        at += 1;
    }
    assert!(wanted.len() > 5, "{wanted:?}");
}

#[tokio::test]
async fn a_user_id_outside_the_rule_is_refused_before_the_upgrade() {
    let chat = ChatServer::start();
    let (too_long, longest) = ("x".repeat(65), "x".repeat(64));
    for bad in ["a%20b", "a:b", "a%2Fb", "%C3%A4lice", "a%0A", "a%00", "%E2%80%AEa", "a@b", &too_long] {
        let answer = chat.ask_for_upgrade(&format!("/ws/{bad}")).await;
        assert_eq!(answer.status, 400, "{bad}: {answer:?}");
        let error = &answer.json()["error"];
        assert_eq!(error["code"], "VALIDATION_FAILED", "{bad}: {error}");
        assert_eq!(error["details"]["errors"][0]["field"], "user_id", "{bad}: {error}");
    }
    for good in ["a", "A.b_c-9", &longest] {
        assert_eq!(chat.ask_for_upgrade(&format!("/ws/{good}")).await.status, 101, "{good}");
    }
}

#[test]
fn a_store_that_cannot_be_opened_is_refused_at_the_start() {
    let folder = Folder::new();
    let missing = folder.path().join("missing").join("chat.db");
    let text = folder.path().join("text.db");
    std::fs::write(&text, "This is a text and no database. ".repeat(100)).unwrap();
    for place in [&missing, &text] {
        let mut command = Command::new(program());
        surroundings(&mut command, folder.path(), 0);
        let ended = command.env("CHAT_DB", place).stdout(Stdio::piped()).output().unwrap();
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        let told = String::from_utf8(ended.stderr).unwrap();
        assert!(told.contains("cannot open the chat store") && told.contains(place.to_str().unwrap()), "{told}");
        assert_eq!(told.trim_end().lines().count(), 1, "{told}");
        assert_eq!(ended.stdout, b"", "it must not listen");
    }
}

#[test]
fn the_start_says_that_anybody_can_be_anybody() {
    let chat = ChatServer::start();
    let mut command = Command::new(program());
    let folder = Folder::new();
    // The address is taken, so this one ends by itself.
    surroundings(&mut command, folder.path(), chat.port());
    let ended = command.env("LOG_LEVEL", "INFO").output().unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert!(told.contains("open mode"), "{told}");
    assert!(told.contains("the port is taken"), "{told}");
}
