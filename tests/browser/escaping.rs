//! What people write is text, wherever it stands; and names that could be anything else are refused.

use rusqlite::Connection;
use serde_json::{Value, json};
use tests::chat::{ChatClient, ChatServer};

use crate::page::{DESK, Page};
use crate::payloads::PAYLOADS;
use crate::{MESSAGES, browsers};

/// As it stands in a path.
fn escaped(text: &str) -> String {
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
    for some in PAYLOADS.chunks(10) {
        // Too many mistakes would end a connection.
        let mut eve = ChatClient::connect(&chat, "eve").await;
        for payload in some {
            for (kind, data) in [
                ("join_room", json!({ "room": payload })),
                ("create_room", json!({ "room_name": payload, "is_public": true })),
                ("invite", json!({ "room": "lobby", "user_id": payload })),
                ("private_message", json!({ "target_user_id": payload, "text": "hello" })),
            ] {
                let error = eve.request_error(kind, data).await;
                assert_eq!(error["code"], "VALIDATION_FAILED", "{kind} {payload:?}: {error}");
            }
            let path = format!("/ws/{}", escaped(payload));
            assert_eq!(chat.request_upgrade(&path).await.status, 400, "{payload:?}");
        }
    }
}

#[tokio::test]
async fn of_a_hundred_hostile_texts_none_runs() {
    let Some((driver, _guard)) = browsers().await else { return };
    let chat = ChatServer::start();
    let page = Page::open(&driver, "alice", DESK, &chat.url("/?user=alice")).await;
    // Her page is in first: who joins beside somebody hears of it in the middle of the answer.
    page.until("#members .name", &["alice"]).await;
    let mut eve = ChatClient::connect_and_join(&chat, "eve", "lobby").await;
    page.until("#members .name", &["alice", "eve"]).await;

    // As they come in, in a room and in private.
    for payload in PAYLOADS {
        eve.send("chat_message", json!({ "room": "lobby", "text": payload })).await;
        eve.send("private_message", json!({ "target_user_id": "alice", "text": payload })).await;
    }
    page.until(MESSAGES, &PAYLOADS).await;
    page.picture("hostile-texts").await;
    assert_eq!(page.heard().await, json!([]), "in the room");
    page.click("#directs [data-key='@eve']").await;
    page.until(MESSAGES, &PAYLOADS).await;
    assert_eq!(page.heard().await, json!([]), "in private");

    // Names that the rules keep out, put into the store behind their back: of rooms, of authors, of members.
    let store = Connection::open(chat.folder().join("chat.db")).unwrap();
    // Nobody can be in a room whose name has control characters, not even so.
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
    // A new page shows the last fifty.
    page.until(MESSAGES, &PAYLOADS[50..]).await;
    let authors = page.texts("#messages .author").await;
    assert_eq!(authors, json!(PAYLOADS[50..]), "{authors}");
    page.picture("hostile-names").await;
    page.is_clean().await;
}

#[tokio::test]
async fn a_hostile_address_of_the_page_is_only_a_text_in_a_field() {
    let Some((driver, _guard)) = browsers().await else { return };
    let chat = ChatServer::start();
    let page = Page::open(&driver, "eve", DESK, &chat.url("/")).await;
    for payload in PAYLOADS.iter().step_by(9) {
        page.go(&chat.url(&format!("/?user={}#token={}", escaped(payload), escaped(payload)))).await;
        let shown = page.run("return document.querySelector('#user-name').value", vec![]).await;
        // A field has one line, and a browser leaves out what breaks it.
        assert_eq!(shown, payload.replace('\n', ""), "{payload:?}");
        page.click("#enter").await;
        page.until_there("#user-name[aria-invalid=true]").await;
        page.is_clean().await;
    }
}
