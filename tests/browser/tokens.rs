//! The page with a server that wants to know who somebody is.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;
use tests::chat::{ChatClient, ChatServer};

use crate::page::{DESK, Page};
use crate::payloads::PAYLOADS;
use crate::{MESSAGES, browsers};

const SECRET: &str = "correct horse battery staple, 2 of them";

fn token(user: &str, name: &str, seconds: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({ "sub": user, "name": name, "exp": now + seconds });
    encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

#[tokio::test]
async fn a_page_that_is_asked_for_a_token_gets_one_where_they_are_handed_out() {
    let Some((driver, _guard)) = browsers().await else { return };
    let chat = ChatServer::with(&[("CHAT_SECRET", SECRET), ("CHAT_DEMO_TOKENS", "1")]);
    // It comes with a token that is about to end, and renews it without losing the connection.
    let ending = token("alice", "Alice", 3);
    let page = Page::open(&driver, "alice", DESK, &chat.url(&format!("/?user=alice#token={ending}"))).await;
    page.until("#state", &["online"]).await;
    page.until("#me-name", &["Alice"]).await;
    page.run("__socket.addEventListener('close', () => { window.__lost = true })", vec![]).await;
    page.until_run("return location.hash", vec![], json!("")).await;
    let renewed = "return sessionStorage.getItem('chat.token.alice') !== arguments[0]";
    page.until_run(renewed, vec![ending.into()], json!(true)).await;
    page.say("Still here").await;
    page.until(MESSAGES, &["Still here"]).await;
    page.until_run("return window.__lost ?? false", vec![], json!(false)).await;
    page.is_clean().await;

    // And one that comes without gets its first.
    page.go(&chat.url("/?user=bob")).await;
    page.until("#state", &["online"]).await;
    page.until("#members .name", &["bob", "Alice"]).await;
    assert_eq!(page.heard().await, json!([]));
}

#[tokio::test]
async fn a_page_without_a_token_says_that_it_is_not_let_in() {
    let Some((driver, _guard)) = browsers().await else { return };
    let chat = ChatServer::with(&[("CHAT_SECRET", SECRET)]);
    let page = Page::open(&driver, "alice", DESK, &chat.url("/?user=alice")).await;
    let told = "The server refused the connection. It may be full, or it may need a token: ask for a link to this page \
                that includes one.";
    page.until("#problem", &[told]).await;
    page.pictures("desk-not-let-in").await;
    let good = token("alice", "Alice", 60);
    page.go("about:blank").await;
    page.go(&chat.url(&format!("/?user=alice#token={good}"))).await;
    page.until("#state", &["online"]).await;
    assert_eq!(page.heard().await, json!([]));
}

#[tokio::test]
async fn of_a_hundred_hostile_names_in_tokens_none_runs() {
    let Some((driver, _guard)) = browsers().await else { return };
    let chat = ChatServer::with(&[("CHAT_SECRET", SECRET)]);
    let alices = token("alice", "Alice", 600);
    let page = Page::open(&driver, "alice", DESK, &chat.url(&format!("/?user=alice#token={alices}"))).await;
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
    // Those with control characters go by their ids.
    assert!(names.iter().zip(PAYLOADS).filter(|(name, payload)| name == payload).count() > 95);
    page.until(MESSAGES, &PAYLOADS).await;
    assert_eq!(page.texts("#messages .author").await, json!(names));
    page.until_run("return document.querySelectorAll('#directs .name').length", vec![], json!(100)).await;
    assert_eq!(page.texts("#directs .name").await, json!(names));
    // Who types, with nobody else typing: the name stands in a sentence.
    page.until("#typing", &[""]).await;
    for (eve, name) in eves.iter_mut().zip(&names).step_by(9) {
        eve.send("typing_start", json!({ "room": "lobby" })).await;
        page.until("#typing", &[&format!("{name} is typing…")]).await;
        eve.send("typing_stop", json!({ "room": "lobby" })).await;
        page.until("#typing", &[""]).await;
    }
    page.click("#directs [data-key='@eve8']").await;
    page.until("#current-room", &[&names[8]]).await;
    page.is_clean().await;
}
