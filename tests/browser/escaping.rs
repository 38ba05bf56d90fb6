//! Text of users is shown as text everywhere, and the server refuses names that contain markup.

use rusqlite::Connection;
use serde_json::{Value, json};
use tests::chat::{ChatClient, ChatServer};

use crate::page::{DESKTOP, Page};
use crate::payloads::PAYLOADS;
use crate::{MESSAGES, browsers};

/// Percent-encodes every byte.
fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn sorted(texts: &Value) -> Vec<String> {
    let mut texts: Vec<_> = texts.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect();
    texts.sort();
    texts
}

#[tokio::test]
async fn hostile_names_are_refused_by_the_server() {
    let chat = ChatServer::start();
    for chunk in PAYLOADS.chunks(10) {
        // The server closes a connection after too many errors.
        let mut eve = ChatClient::connect(&chat, "eve").await;
        for payload in chunk {
            for (kind, data) in [
                ("join_room", json!({ "room": payload })),
                ("create_room", json!({ "room_name": payload, "is_public": true })),
                ("invite", json!({ "room": "lobby", "user_id": payload })),
                ("private_message", json!({ "target_user_id": payload, "text": "hello" })),
            ] {
                let error = eve.request_error(kind, data).await;
                assert_eq!(error["code"], "VALIDATION_FAILED", "{kind} {payload:?}: {error}");
            }
            let path = format!("/ws/{}", percent_encoded(payload));
            assert_eq!(chat.request_upgrade(&path).await.status, 400, "{payload:?}");
        }
    }
}

#[tokio::test]
async fn no_hostile_text_or_name_runs_as_code() {
    let Some((driver, _permit)) = browsers().await else { return };
    let chat = ChatServer::start();
    let page = Page::open(&driver, "alice", DESKTOP, &chat.url("/?user=alice")).await;
    // Alice joins first: otherwise eve's join could be interrupted by a notification of alice.
    page.until("#members .name", &["alice"]).await;
    let mut eve = ChatClient::connect_and_join(&chat, "eve", "lobby").await;
    page.until("#members .name", &["alice", "eve"]).await;

    // As live messages, in a room and in private.
    for payload in PAYLOADS {
        eve.send("chat_message", json!({ "room": "lobby", "text": payload })).await;
        eve.send("private_message", json!({ "target_user_id": "alice", "text": payload })).await;
    }
    page.until(MESSAGES, &PAYLOADS).await;
    page.screenshot("hostile-texts").await;
    assert_eq!(page.violations().await, json!([]), "in the room");
    page.click("#directs [data-key='@eve']").await;
    page.until(MESSAGES, &PAYLOADS).await;
    assert_eq!(page.violations().await, json!([]), "in private");

    // As names of rooms, authors and members: the rules refuse such names, so they are written into the store directly.
    let store = Connection::open(chat.folder().join("chat.db")).unwrap();
    // The framework allows no group whose name has control characters.
    let mut rooms: Vec<_> = PAYLOADS.into_iter().filter(|payload| !payload.chars().any(char::is_control)).collect();
    assert!(rooms.len() > 95);
    for payload in &rooms {
        let room = "INSERT INTO rooms (name, created_by, is_public, created_at) VALUES (?1, ?1, 1, '')";
        store.execute(room, [payload]).unwrap();
    }
    store.execute("UPDATE messages SET username = text", []).unwrap();
    let mut members = Vec::new();
    for (number, payload) in PAYLOADS.iter().enumerate() {
        let user = format!("user{number}");
        members.push(ChatClient::connect_and_join(&chat, &user, "lobby").await);
        store.execute("UPDATE users SET username = ?1 WHERE user_id = ?2", [payload, user.as_str()]).unwrap();
    }
    page.reload().await;
    page.until_run("return document.querySelectorAll('#rooms .name').length", vec![], json!(rooms.len() + 1)).await;
    rooms.push("lobby");
    assert_eq!(sorted(&page.texts("#rooms .name").await), sorted(&json!(rooms)));
    page.until_run("return document.querySelectorAll('#members .name').length", vec![], json!(102)).await;
    assert_eq!(
        sorted(&page.texts("#members .name").await),
        sorted(&json!([&PAYLOADS[..], &["alice", "eve"]].concat()))
    );
    // A reloaded page shows the last fifty messages.
    page.until(MESSAGES, &PAYLOADS[50..]).await;
    let authors = page.texts("#messages .author").await;
    assert_eq!(authors, json!(PAYLOADS[50..]), "{authors}");
    page.screenshot("hostile-names").await;
    page.assert_clean().await;
}

/// Otherwise the other tests would prove nothing.
#[tokio::test]
async fn forbidden_behaviour_of_the_page_is_recorded() {
    let Some((driver, _permit)) = browsers().await else { return };
    let chat = ChatServer::start();
    let page = Page::open(&driver, "alice", DESKTOP, &chat.url("/?user=alice")).await;
    page.until("#members .name", &["alice"]).await;
    for _ in 0..10 {
        let script = "document.body.insertAdjacentHTML('beforeend', '<b onclick=__ran=1></b><img src=x:x>')";
        page.run(script, vec![]).await;
        let violations = page.violations().await.to_string();
        for found in [
            "onclick: <b onclick",
            "policy: script-src-attr inline",
            "src: <img src",
            "policy: img-src x",
            "error: [object HTMLImageElement]",
        ] {
            assert!(violations.contains(found), "{found} is not in {violations}");
        }
        page.run("window.__violations.length = 0", vec![]).await;
    }
}

#[tokio::test]
async fn a_hostile_url_of_the_page_is_text_in_a_field() {
    let Some((driver, _permit)) = browsers().await else { return };
    let chat = ChatServer::start();
    let page = Page::open(&driver, "eve", DESKTOP, &chat.url("/")).await;
    for payload in PAYLOADS.iter().step_by(9) {
        page.go(&chat.url(&format!("/?user={}#token={}", percent_encoded(payload), percent_encoded(payload)))).await;
        let shown = page.run("return document.querySelector('#user-name').value", vec![]).await;
        // The browser removes line breaks from the value of an input field.
        assert_eq!(shown, payload.replace('\n', ""), "{payload:?}");
        page.click("#enter").await;
        page.until_exists("#user-name[aria-invalid=true]").await;
        page.assert_clean().await;
    }
}
