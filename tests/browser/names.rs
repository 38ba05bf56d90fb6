//! Names of users and rooms that the page refuses, with the rule in words.

use serde_json::json;
use tests::chat::ChatServer;

use crate::page::{DESKTOP, Page};
use crate::{NOTHING, browsers};

const PATH_STEP: &str = "A name cannot be . or .. alone.";
const USER_CHARACTERS: &str = "Use up to 64 letters, digits, _, - and .";

#[tokio::test]
async fn names_that_the_server_refuses_are_refused_by_the_page() {
    let Some((driver, _permit)) = browsers().await else { return };
    let chat = ChatServer::start();
    let page = Page::open(&driver, "dots", DESKTOP, &chat.url("/?user=..")).await;
    page.until("#user-name-hint", &[PATH_STEP]).await;
    page.screenshots("desktop-refused-name").await;
    let long = "x".repeat(65);
    for (name, rule) in [(".", PATH_STEP), ("..", PATH_STEP), ("a b", USER_CHARACTERS), (&long, USER_CHARACTERS)] {
        enter(&page, "#user-name", name, "#enter").await;
        page.until("#user-name-hint", &[rule]).await;
        page.until_exists("#user-name[aria-invalid=true]").await;
    }
    chat.until_connections(0).await;
    enter(&page, "#user-name", "...", "#enter").await;
    page.until("#state", &["online"]).await;
    page.until("#members .name", &["..."]).await;

    let room_characters = "Use up to 50 letters, digits, spaces, _, - and .";
    let two_spaces = "A name cannot have two spaces in a row, which look like one.";
    let long = "x".repeat(51);
    for (name, rule) in
        [(".", PATH_STEP), ("..", PATH_STEP), ("a/b", room_characters), (&long, room_characters), ("a  b", two_spaces)]
    {
        enter(&page, "#new-room", name, "#create-room").await;
        page.until("#new-room-hint", &[rule]).await;
    }
    enter(&page, "#new-room", "den", "#new-room-private").await;
    page.click("#create-room").await;
    page.until("#current-room", &["den"]).await;
    page.until("#new-room-hint", NOTHING).await;
    page.click("#invite").await;
    for (name, rule) in [("..", PATH_STEP), ("a b", USER_CHARACTERS)] {
        enter(&page, "#invite-user", name, "#send-invite").await;
        page.until("#invite-user-hint", &[rule]).await;
    }
    page.click("#cancel-invite").await;
    page.until("#invite-user-hint", NOTHING).await;
    page.assert_clean().await;
}

/// Replaces the content of a field, and clicks a button.
async fn enter(page: &Page<'_>, field: &str, name: &str, button: &str) {
    page.run("document.querySelector(arguments[0]).value = arguments[1]", vec![json!(field), json!(name)]).await;
    page.click(button).await;
}
