//! `POST /api/publish`: messages of other programs.

use serde_json::{Value, json};
use tests::chat::{ChatClient, ChatServer};
use tests::http::Answer;

const KEY: &str = "0123456789abcdef0123456789abcdef";

async fn publish(chat: &ChatServer, body: &str) -> Answer {
    let key = format!("authorization: bearer {KEY}");
    chat.post("/api/publish", &[&key, "Content-Type: application/x-www-form-urlencoded"], body).await
}

async fn publish_notice(chat: &ChatServer, to: Value, data: Value) {
    let answer = publish(chat, &json!({ "to": to, "type": "notice", "data": data }).to_string()).await;
    assert_eq!((answer.status, answer.json()), (202, json!({ "ok": true })));
}

#[tokio::test]
async fn a_published_message_reaches_a_room_a_user_or_everyone() {
    let chat = ChatServer::with(&[("CHAT_PUBLISH_KEY", KEY)]);
    let mut alice = ChatClient::connect_and_join(&chat, "alice", "tea room").await;
    let mut bob = ChatClient::connect(&chat, "bob").await;
    publish_notice(&chat, json!({ "group": "tea room" }), json!({ "n": 1 })).await;
    assert_eq!(alice.next().await, json!({ "type": "notice", "data": { "n": 1 } }));
    publish_notice(&chat, json!({ "user": "bob" }), json!({ "n": 2 })).await;
    assert_eq!(
        bob.next().await,
        json!({ "type": "notice", "data": { "n": 2 } }),
        "bob does not get the room's message"
    );
    publish_notice(&chat, json!("everyone"), json!({ "n": 3 })).await;
    for client in [&mut alice, &mut bob] {
        assert_eq!(client.expect("notice").await, json!({ "n": 3 }));
        client.expect_nothing().await;
    }
    // A message without a recipient is not an error.
    publish_notice(&chat, json!({ "user": "carol" }), json!({})).await;
    publish_notice(&chat, json!({ "group": "nowhere" }), json!(null)).await;
    let history = chat.get("/api/rooms/tea%20room/messages").await.json();
    assert_eq!(history["count"], 0, "published messages are not stored");
}

#[tokio::test]
async fn an_invalid_body_is_refused_with_the_name_of_the_field() {
    let chat = ChatServer::with(&[("CHAT_PUBLISH_KEY", KEY)]);
    let mut alice = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    let with = |to: Value, kind: Value, data: Value| json!({ "to": to, "type": kind, "data": data }).to_string();
    let (lobby, notice, data) = (json!({ "group": "lobby" }), json!("notice"), json!({}));
    let mut bodies = vec![
        (String::new(), ""),
        ("[]".to_owned(), ""),
        ("{\"to\":".to_owned(), ""),
        (json!({ "type": "notice", "data": {} }).to_string(), "to"),
        (json!({ "to": "everyone", "data": {} }).to_string(), "type"),
        (json!({ "to": "everyone", "type": "notice" }).to_string(), "data"),
        (json!({ "to": "everyone", "type": "notice", "data": {}, "ref": 1 }).to_string(), "ref"),
    ];
    let recipients =
        [json!("all"), json!(7), json!({}), json!({ "room": "lobby" }), json!({ "group": 7 }), json!(null)];
    let two = json!({ "group": "lobby", "user": "alice" });
    bodies.extend(recipients.into_iter().chain([two]).map(|to| (with(to, notice.clone(), data.clone()), "to")));
    for group in ["", " lobby", "a/b", &"x".repeat(51)] {
        bodies.push((with(json!({ "group": group }), notice.clone(), data.clone()), "to.group"));
    }
    for user in ["", "a b", "ä", &"x".repeat(65)] {
        bodies.push((with(json!({ "user": user }), notice.clone(), data.clone()), "to.user"));
    }
    for kind in
        [json!(7), json!(""), json!("No"), json!("a b"), json!("agentcore.resync"), json!("reply"), json!("error")]
    {
        bodies.push((with(lobby.clone(), kind, data.clone()), "type"));
    }
    for wrong in [json!([]), json!("text"), json!(7)] {
        bodies.push((with(lobby.clone(), notice.clone(), wrong), "data"));
    }
    for (data, field) in
        [(r#"{"a":1e400}"#, "data.a"), (r#"{"a":["\ud800"]}"#, "data.a[0]"), (r#"{"a":"ok \ud83d"}"#, "data.a")]
    {
        bodies.push((format!(r#"{{"to":"everyone","type":"notice","data":{data}}}"#), field));
    }
    let marked = format!("\u{feff}{}", with(lobby.clone(), notice.clone(), data));
    assert!(publish(&chat, &marked).await.body.contains("byte order mark"));
    bodies.push((marked, ""));
    for (body, field) in bodies {
        let answer = publish(&chat, &body).await;
        let error = &answer.json()["error"];
        assert_eq!((answer.status, &error["code"]), (400, &json!("VALIDATION_FAILED")), "{body}: {answer:?}");
        assert_eq!(error["details"]["errors"][0]["field"], field, "{body}: {error}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    let long = with(lobby, notice, json!({ "text": "x".repeat(64 * 1024) }));
    let answer = publish(&chat, &long).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (413, &json!("VALIDATION_FAILED")), "{answer:?}");
    alice.expect_nothing().await;
}

#[tokio::test]
async fn publishing_needs_the_key_in_the_header() {
    let chat = ChatServer::with(&[("CHAT_PUBLISH_KEY", KEY)]);
    let mut alice = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    let body = json!({ "to": "everyone", "type": "notice", "data": {} }).to_string();
    let wrong = KEY.replace('f', "e");
    for header in [
        "X-Nothing: 1".to_owned(),
        format!("Authorization: {KEY}"),
        format!("Authorization: Basic {KEY}"),
        "Authorization: Bearer".to_owned(),
        "Authorization: Bearer ".to_owned(),
        format!("Authorization: Bearer {wrong}"),
        format!("Authorization: Bearer {KEY}0"),
        format!("Authorization: Bearer {}", &KEY[1..]),
    ] {
        let answer = chat.post("/api/publish", &[&header], &body).await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")), "{header}: {answer:?}");
        assert_eq!(answer.json()["error"]["code"], "UNAUTHENTICATED", "{header}");
        assert!(!answer.body.contains(KEY), "{answer:?}");
    }
    let answer = chat.post(&format!("/api/publish?token={KEY}"), &[], "no body at all").await;
    assert_eq!(answer.status, 401, "a key in the URL would be logged");
    alice.expect_nothing().await;
}

#[tokio::test]
async fn the_key_is_checked_before_the_body_is_read() {
    let chat = ChatServer::with(&[("CHAT_PUBLISH_KEY", KEY)]);
    for key in ["", "Authorization: Bearer 0123456789abcdef0123456789abcdee\r\n"] {
        // One byte of the body, and never the rest.
        let answer = chat.exchange("POST /api/publish", &format!("{key}Content-Length: 1000"), "{").await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (401, &json!("UNAUTHENTICATED")), "{answer:?}");
    }
}

#[tokio::test]
async fn without_a_key_the_route_does_not_exist() {
    let chat = ChatServer::start();
    let body = json!({ "to": "everyone", "type": "notice", "data": {} }).to_string();
    for key in [KEY, ""] {
        let answer = chat.post("/api/publish", &[&format!("Authorization: Bearer {key}")], &body).await;
        assert_eq!(answer.status, 404, "{answer:?}");
    }
}
