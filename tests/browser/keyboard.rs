//! Use of the page with the keyboard only.

use fantoccini::key::Key;
use serde_json::json;
use tests::chat::{ChatClient, ChatServer};

use crate::page::{DESKTOP, PHONE, Page};
use crate::{MESSAGES, NOTHING, browsers};

/// Types a text and Enter into the focused element.
async fn enter(page: &Page<'_>, text: &str) {
    page.press(text).await;
    page.press(&Key::Enter).await;
}

#[tokio::test]
async fn every_action_is_possible_with_the_keyboard() {
    let Some((driver, _permit)) = browsers().await else { return };
    let chat = ChatServer::start();
    let mut bob = ChatClient::connect_and_join(&chat, "bob", "lobby").await;
    let page = Page::open(&driver, "alice", DESKTOP, &chat.url("/")).await;
    page.until("#enter", &["Enter"]).await;
    // An invalid name is refused, and the field keeps the focus.
    enter(&page, "a b").await;
    page.until("#user-name[aria-invalid=true]", &[""]).await;
    for _ in 0..3 {
        page.press(&Key::Backspace).await;
    }
    enter(&page, "alice").await;
    page.until("#state", &["online"]).await;
    enter(&page, "Without a mouse").await;
    page.until(MESSAGES, &["Without a mouse"]).await;
    page.press("two").await;
    page.press(&(Key::Shift + &Key::Enter)).await;
    page.press(&Key::Null).await;
    enter(&page, "lines").await;
    page.until(MESSAGES, &["Without a mouse", "two\nlines"]).await;

    page.tab_to("#new-room").await;
    page.press("den").await;
    page.tab_to("#new-room-private").await;
    page.press(" ").await;
    page.tab_to("#create-room").await;
    page.press(&Key::Enter).await;
    page.until("#about", &["Private room · 1 member"]).await;
    page.until_run("return document.activeElement.id", vec![], json!("text")).await;

    page.tab_to("#invite").await;
    page.press(&Key::Enter).await;
    page.until("#invitation-title", &["Invite to den"]).await;
    page.press(&Key::Escape).await;
    page.until("#invitation-title", NOTHING).await;
    page.until_run("return document.activeElement.id", vec![], json!("invite")).await;
    page.press(&Key::Enter).await;
    enter(&page, "bob").await;
    page.until("#notice-text", &["bob can now join den."]).await;
    page.press(&Key::Escape).await;
    page.until("#notice-text", NOTHING).await;

    page.tab_to("#rooms [data-key='#lobby']").await;
    page.press(&Key::Enter).await;
    page.until("#current-room", &["lobby"]).await;
    page.tab_to("#members [data-key='bob']").await;
    page.press(&Key::Enter).await;
    page.until("#current-room", &["bob"]).await;
    enter(&page, "psst").await;
    page.until(MESSAGES, &["psst"]).await;
    while bob.next().await["type"] != "private_message" {}
    page.tab_to("#rooms [data-key='#den']").await;
    page.press(&Key::Enter).await;
    page.tab_to("#leave").await;
    page.press(&Key::Enter).await;
    page.until("#current-room", &["lobby"]).await;
    page.assert_clean().await;
}

#[tokio::test]
async fn the_panels_of_a_narrow_page_open_and_close_with_the_keyboard() {
    let Some((driver, _permit)) = browsers().await else { return };
    let chat = ChatServer::start();
    let page = Page::open(&driver, "alice", PHONE, &chat.url("/?user=alice")).await;
    page.until("#members-title", NOTHING).await;
    page.until("#state", &["online"]).await;
    let focus = "return document.activeElement.id";
    for (button, panel) in [("open-rooms", "#sidebar"), ("open-members", "#people")] {
        page.tab_to(&format!("#{button}")).await;
        page.press(&Key::Enter).await;
        let is_inside = "return document.querySelector(arguments[0]).contains(document.activeElement)";
        page.until_run(is_inside, vec![panel.into()], json!(true)).await;
        page.press(&Key::Escape).await;
        page.until_run(focus, vec![], json!(button)).await;
    }
    page.assert_clean().await;
}
