//! The page with a server that requires tokens.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;
use tests::chat::{ChatClient, ChatServer};

use crate::page::{DESKTOP, Page};
use crate::payloads::PAYLOADS;
use crate::{CONNECTION_REFUSED, MESSAGES, browsers};

const SECRET: &str = "correct horse battery staple, 2 of them";

fn token(user: &str, name: &str, seconds: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({ "sub": user, "name": name, "exp": now + seconds });
    encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

#[tokio::test]
async fn the_page_requests_a_token_where_the_server_issues_demo_tokens() {
    let Some((driver, _permit)) = browsers().await else { return };
    let chat = ChatServer::with(&[("CHAT_SECRET", SECRET), ("CHAT_DEMO_TOKENS", "1")]);
    let page = Page::open(&driver, "alice", DESKTOP, &chat.url("/")).await;
    // The page starts with a token that expires soon, and renews it without losing the connection. The token is signed when
    // the browser runs: on a busy machine its start takes seconds.
    let expiring = token("alice", "Alice", 8);
    page.go(&chat.url(&format!("/?user=alice#token={expiring}"))).await;
    page.until("#state", &["online"]).await;
    page.until("#me-name", &["Alice"]).await;
    page.run("__socket.addEventListener('close', () => { window.__lost = true })", vec![]).await;
    page.until_run("return location.hash", vec![], json!("")).await;
    let renewed = "return sessionStorage.getItem('chat.token.alice') !== arguments[0]";
    page.until_run(renewed, vec![expiring.into()], json!(true)).await;
    page.post("Still here").await;
    page.until(MESSAGES, &["Still here"]).await;
    page.until_run("return window.__lost ?? false", vec![], json!(false)).await;
    page.assert_clean().await;

    // Without a token, the page requests one.
    page.go(&chat.url("/?user=bob")).await;
    page.until("#state", &["online"]).await;
    page.until("#members .name", &["bob", "Alice"]).await;
    assert_eq!(page.violations().await, json!([]));
}

#[tokio::test]
async fn a_page_without_a_token_says_that_it_was_refused() {
    let Some((driver, _permit)) = browsers().await else { return };
    let chat = ChatServer::with(&[("CHAT_SECRET", SECRET)]);
    let page = Page::open(&driver, "alice", DESKTOP, &chat.url("/?user=alice")).await;
    page.until("#problem", &[CONNECTION_REFUSED]).await;
    page.screenshots("desktop-not-let-in").await;
    let good = token("alice", "Alice", 60);
    page.go("about:blank").await;
    page.go(&chat.url(&format!("/?user=alice#token={good}"))).await;
    page.until("#state", &["online"]).await;
    assert_eq!(page.violations().await, json!([]));
}

#[tokio::test]
async fn no_hostile_name_in_a_token_runs_as_code() {
    let Some((driver, _permit)) = browsers().await else { return };
    let chat = ChatServer::with(&[("CHAT_SECRET", SECRET)]);
    let alices = token("alice", "Alice", 600);
    let page = Page::open(&driver, "alice", DESKTOP, &chat.url(&format!("/?user=alice#token={alices}"))).await;
    page.until("#members .name", &["Alice"]).await;
    let mut eves = Vec::new();
    let mut names = Vec::new();
    for (number, payload) in PAYLOADS.iter().enumerate() {
        let (user, name) = (format!("eve{number}"), token(&format!("eve{number}"), payload, 600));
        let mut eve =
            ChatClient::connect_to(&chat, &format!("/ws/{user}?token={name}"), &[]).await.expect("a good token");
        names.push(eve.welcome["username"].as_str().unwrap().to_owned());
        eve.join("lobby").await;
        eves.push(eve);
    }
    for (eve, payload) in eves.iter_mut().zip(PAYLOADS) {
        eve.send("chat_message", json!({ "room": "lobby", "text": payload })).await;
        eve.send("private_message", json!({ "target_user_id": "alice", "text": payload })).await;
        eve.send("typing_start", json!({ "room": "lobby" })).await;
        page.until_run(
            "return document.querySelector('#messages').lastElementChild?.querySelector('.text').textContent",
            vec![],
            json!(payload),
        )
        .await;
    }
    // Names with control characters are replaced by the user's id.
    assert!(names.iter().zip(PAYLOADS).filter(|(name, payload)| name == payload).count() > 95);
    page.until(MESSAGES, &PAYLOADS).await;
    assert_eq!(page.texts("#messages .author").await, json!(names));
    page.until_run("return document.querySelectorAll('#directs .name').length", vec![], json!(100)).await;
    assert_eq!(page.texts("#directs .name").await, json!(names));
    // In the typing notice, where the name is part of a sentence.
    page.until("#typing", &[""]).await;
    for (eve, name) in eves.iter_mut().zip(&names).step_by(9) {
        eve.send("typing_start", json!({ "room": "lobby" })).await;
        page.until("#typing", &[&format!("{name} is typing…")]).await;
        eve.send("typing_stop", json!({ "room": "lobby" })).await;
        page.until("#typing", &[""]).await;
    }
    page.click("#directs [data-key='@eve8']").await;
    page.until("#current-room", &[&names[8]]).await;
    page.assert_clean().await;
}
