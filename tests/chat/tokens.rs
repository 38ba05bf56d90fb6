//! Tokens: authentication, names, and access to the history of private rooms.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tests::chat::{ChatClient, ChatServer};

use crate::is_timestamp;

const SECRET: &str = "correct horse battery staple, 2 of them";

fn signed(secret: &str, algorithm: Algorithm, claims: &Value) -> String {
    encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

/// Signs a token as an external issuer would.
fn token(claims: Value) -> String {
    signed(SECRET, Algorithm::HS256, &claims)
}

fn in_seconds(seconds: i64) -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap() + seconds
}

fn protocols(token: &str) -> [String; 2] {
    ["agentcore.v1.json".to_owned(), format!("agentcore.token.{token}")]
}

async fn with_token(chat: &ChatServer, user: &str, token: &str) -> Result<ChatClient, u16> {
    let protocols = protocols(token);
    let protocols: Vec<_> = protocols.iter().map(String::as_str).collect();
    ChatClient::connect_to(chat, &format!("/ws/{user}"), &protocols).await.map_err(|rejection| rejection.status)
}

#[tokio::test]
async fn a_demo_token_admits_only_its_user() {
    let chat = ChatServer::with(&[("CHAT_SECRET", SECRET), ("CHAT_DEMO_TOKENS", "1")]);
    let answer = chat.get("/api/token?user_id=alice").await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
    let issued = answer.json();
    assert_eq!(issued["user_id"], "alice");
    assert!(is_timestamp(&issued["expires_at"]), "{issued}");
    let token = issued["token"].as_str().unwrap();

    let mut alice = with_token(&chat, "alice", token).await.unwrap();
    assert_eq!(alice.protocol.as_deref(), Some("agentcore.v1.json"), "the token must not be the chosen subprotocol");
    assert_eq!((&alice.welcome["user_id"], &alice.welcome["username"]), (&json!("alice"), &json!("alice")));
    alice.join("lobby").await;
    let mut again = ChatClient::connect_to(&chat, &format!("/ws/alice?token={token}"), &[]).await.unwrap();
    again.join("lobby").await;
    alice.post("lobby", "from the first").await;
    assert_eq!(again.expect("chat_message").await["user_id"], "alice");

    assert_eq!(with_token(&chat, "bob", token).await.unwrap_err(), 403);
    let answer = chat.request_upgrade(&format!("/ws/bob?token={token}")).await;
    assert_eq!((answer.status, &answer.json()["error"]["category"]), (403, &json!("authorization")));
    for bad in ["", "?user_id=", "?user_id=a%20b", "?user_id=%3Cscript%3E"] {
        let answer = chat.get(&format!("/api/token{bad}")).await;
        let error = &answer.json()["error"];
        assert_eq!(
            (answer.status, &error["details"]["errors"][0]["field"]),
            (400, &json!("user_id")),
            "{bad}: {error}"
        );
    }
}

#[tokio::test]
async fn an_invalid_token_is_refused_before_the_upgrade() {
    let chat = ChatServer::with(&[("CHAT_SECRET", SECRET)]);
    let good = json!({ "sub": "alice", "exp": in_seconds(60) });
    assert!(with_token(&chat, "alice", &token(good.clone())).await.is_ok());
    let [header, claims, signature] =
        token(good.clone()).split('.').map(str::to_owned).collect::<Vec<_>>().try_into().unwrap();
    let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    for (bad, why) in [
        ("x".to_owned(), "no token at all"),
        (signed("another secret of the same good length", Algorithm::HS256, &good), "another secret"),
        (signed(SECRET, Algorithm::HS384, &good), "another algorithm"),
        (format!("{unsigned}.{claims}."), "no signature"),
        (format!("{header}.{claims}.{}", signature.chars().rev().collect::<String>()), "another signature"),
        (token(json!({ "sub": "alice", "exp": in_seconds(-2) })), "expired"),
        (token(json!({ "sub": "alice" })), "without an end"),
        (token(json!({ "exp": in_seconds(60) })), "without a user"),
        (token(json!({ "sub": "alice", "exp": in_seconds(60), "nbf": in_seconds(50) })), "not yet"),
    ] {
        assert_eq!(with_token(&chat, "alice", &bad).await.unwrap_err(), 401, "{why}");
        let answer = chat.request_upgrade(&format!("/ws/alice?token={bad}")).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (401, &json!("UNAUTHENTICATED")), "{why}");
        assert!(!answer.body.contains(&bad) || bad == "x", "{why}: the response repeats the token");
    }
    assert_eq!(chat.request_upgrade("/ws/alice").await.status, 401, "none");
    assert_eq!(chat.get("/api/token?user_id=alice").await.status, 404, "demo tokens are off");
    chat.until_connections(0).await;
}

#[tokio::test]
async fn the_name_in_a_token_is_the_name_that_others_see() {
    let chat = ChatServer::with(&[("CHAT_SECRET", SECRET)]);
    let named = |user: &str, name: Value| token(json!({ "sub": user, "exp": in_seconds(60), "name": name }));
    let mut bob = with_token(&chat, "bob", &named("bob", json!("Bob"))).await.unwrap();
    bob.join("lobby").await;
    let mut alice = with_token(&chat, "alice", &named("alice", json!("Alice Ö. <b>"))).await.unwrap();
    assert_eq!((&alice.welcome["user_id"], &alice.welcome["username"]), (&json!("alice"), &json!("Alice Ö. <b>")));
    alice.join("lobby").await;
    assert_eq!(bob.expect("user_joined_room").await["username"], "Alice Ö. <b>");
    let said = alice.post("lobby", "hello").await;
    assert_eq!((&said["user_id"], &said["username"]), (&json!("alice"), &json!("Alice Ö. <b>")));
    assert_eq!(bob.expect("chat_message").await, said);
    alice.send("typing_start", json!({ "room": "lobby" })).await;
    assert_eq!(bob.expect("user_typing_start").await["username"], "Alice Ö. <b>");
    alice.request("private_message", json!({ "target_user_id": "bob", "text": "psst" })).await;
    assert_eq!(bob.expect("private_message").await["from_username"], "Alice Ö. <b>");
    let users = json!([
        { "user_id": "alice", "username": "Alice Ö. <b>" }, { "user_id": "bob", "username": "Bob" },
    ]);
    assert_eq!(bob.request("get_room_users", json!({ "room": "lobby" })).await["users"], users);
    alice.request("leave_room", json!({ "room": "lobby" })).await;
    assert_eq!(bob.expect("user_left_room").await["username"], "Alice Ö. <b>");
    for useless in [json!(""), json!("  "), json!("a\nb"), json!("x".repeat(1_000)), json!(7), json!(null)] {
        let carol = with_token(&chat, "carol", &named("carol", useless.clone())).await.unwrap();
        assert_eq!(carol.welcome["username"], "carol", "{useless}");
    }
}

#[tokio::test]
async fn only_members_read_the_history_of_a_private_room() {
    let chat = ChatServer::with(&[("CHAT_SECRET", SECRET), ("CHAT_DEMO_TOKENS", "1")]);
    let token_of = async |user: &str| {
        let issued = chat.get(&format!("/api/token?user_id={user}")).await.json();
        issued["token"].as_str().unwrap().to_owned()
    };
    let (alices, bobs) = (token_of("alice").await, token_of("bob").await);
    let mut alice = with_token(&chat, "alice", &alices).await.unwrap();
    alice.request("create_room", json!({ "room_name": "secret", "is_public": false })).await;
    let said = alice.post("secret", "psst").await;
    alice.join("lobby").await;

    let path = "/api/rooms/secret/messages";
    for response in
        [chat.get(path).await, chat.get_with_token(path, "x").await, chat.get(&format!("{path}?token=x")).await]
    {
        assert_eq!((response.status, &response.json()["error"]["category"]), (401, &json!("authentication")));
    }
    assert_eq!(chat.get_with_token(path, &bobs).await.status, 403);
    let history = json!({ "room": "secret", "messages": [said], "count": 1 });
    assert_eq!(chat.get_with_token(path, &alices).await.json(), history);
    assert_eq!(chat.get(&format!("{path}?limit=5&token={alices}")).await.json(), history);
    alice.request("invite", json!({ "room": "secret", "user_id": "bob" })).await;
    assert_eq!(chat.get_with_token(path, &bobs).await.json(), history);
    // Public rooms need no token, and an unknown room has nothing to protect.
    assert_eq!(chat.get("/api/rooms/lobby/messages").await.status, 200);
    assert_eq!(chat.get("/api/rooms/nowhere/messages").await.status, 404);
}

#[tokio::test]
async fn an_expiring_token_can_be_replaced_by_a_new_one() {
    let chat = ChatServer::with(&[("CHAT_SECRET", SECRET)]);
    let short = token(json!({ "sub": "alice", "exp": in_seconds(2) }));
    let mut alice = with_token(&chat, "alice", &short).await.unwrap();
    let asked = alice.expect("agentcore.auth").await;
    assert!(asked["grace_ms"].as_u64() > Some(0), "{asked}");
    let fresh = token(json!({ "sub": "alice", "exp": in_seconds(60) }));
    alice.request("agentcore.auth", json!({ "token": fresh })).await;
    alice.join("lobby").await;
    // A token of another user closes the connection.
    let other = token(json!({ "sub": "bob", "exp": in_seconds(60) }));
    alice.send("agentcore.auth", json!({ "token": other })).await;
    assert_eq!(alice.close_code().await, 4401);
}
