//! The page in a browser that blocks cookies, and `sessionStorage` with them.

use serde_json::json;
use tests::chat::{ChatClient, ChatServer};

use crate::page::{DESKTOP, Page};
use crate::{MESSAGES, NOTHING, browsers};

/// Blocks the storage as Chromium does: reading the property throws.
const BLOCK: &str = "for (const name of ['sessionStorage', 'localStorage']) {
    Object.defineProperty(window, name, { get() { throw new DOMException('Access is denied', 'SecurityError'); } });
}";

#[tokio::test]
async fn the_page_works_without_a_storage() {
    let Some((driver, _permit)) = browsers().await else { return };
    let chat = ChatServer::start();
    let page = Page::open(&driver, "alice", DESKTOP, "about:blank").await;
    page.before_scripts(BLOCK).await;
    page.go(&chat.url("/")).await;
    page.until("#enter", &["Enter"]).await;
    page.write("#user-name", "alice").await;
    page.click("#enter").await;
    page.until("#state", &["online"]).await;
    page.write("#new-room", "tea room").await;
    page.click("#create-room").await;
    page.until("#current-room", &["tea room"]).await;
    let mut bob = ChatClient::connect_and_join(&chat, "bob", "tea room").await;
    page.post("Nothing is kept").await;
    page.until(MESSAGES, &["Nothing is kept"]).await;
    assert_eq!(bob.expect_message("chat_message").await["text"], json!("Nothing is kept"));
    page.assert_clean().await;
    // The next visit starts anew.
    page.click("#switch-user").await;
    page.until("#enter", &["Enter"]).await;
    page.until("#state", NOTHING).await;
    page.assert_clean().await;
}
