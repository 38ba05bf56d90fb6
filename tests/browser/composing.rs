//! Writing a message: input methods, and the limit of its length.

use serde_json::json;
use tests::chat::{ChatClient, ChatServer};

use crate::page::{DESKTOP, Page};
use crate::{MESSAGES, NOTHING, browsers};

/// Presses Enter in the composer, as the browser reports it with the given properties.
const PRESS_ENTER: &str = "document.querySelector('#text').dispatchEvent(
    new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true, ...arguments[0] }))";

/// Pastes a text into the composer as the clipboard does: within the limits of the field.
const PASTE: &str = "const field = document.querySelector('#text');
    field.focus(); field.select();
    document.execCommand('insertText', false, arguments[0]);";

#[tokio::test]
async fn enter_that_ends_an_input_method_sends_nothing() {
    let Some((driver, _permit)) = browsers().await else { return };
    let chat = ChatServer::start();
    let page = Page::open(&driver, "alice", DESKTOP, &chat.url("/?user=alice")).await;
    page.until("#state", &["online"]).await;
    page.until("#members .name", &["alice"]).await;
    page.write("#text", "half a word").await;
    // Chromium and Firefox report a composition; Safari reports only the key code of an input method.
    for properties in [json!({ "isComposing": true, "keyCode": 229 }), json!({ "isComposing": false, "keyCode": 229 })]
    {
        page.run(PRESS_ENTER, vec![properties]).await;
    }
    page.run(PRESS_ENTER, vec![json!({ "keyCode": 13 })]).await;
    page.until(MESSAGES, &["half a word"]).await;
    page.post("the next").await;
    page.until(MESSAGES, &["half a word", "the next"]).await;
    page.assert_clean().await;
}

#[tokio::test]
async fn a_text_has_as_many_characters_as_the_server_takes_and_none_is_cut() {
    let Some((driver, _permit)) = browsers().await else { return };
    let chat = ChatServer::start();
    let page = Page::open(&driver, "alice", DESKTOP, &chat.url("/?user=alice")).await;
    page.until("#members .name", &["alice"]).await;
    page.until("#text-length", NOTHING).await;
    let mut bob = ChatClient::connect_and_join(&chat, "bob", "lobby").await;

    // An emoji has two UTF-16 units and is one character.
    let (some, most, too_many) = ("\u{1f600}".repeat(2_500), "\u{1f600}".repeat(4_000), "\u{1f600}".repeat(4_001));
    page.run(PASTE, vec![json!(too_many)]).await;
    page.until("#text-length", &["4,001 of 4,000 characters"]).await;
    page.until_exists("#text[aria-invalid=true]").await;
    page.screenshots("desktop-too-long").await;
    page.click("#send").await;
    page.until("#problem", &["This message is too long: 4,001 of 4,000 characters."]).await;
    page.until_run("return document.querySelector('#text').value === arguments[0]", vec![json!(too_many)], json!(true))
        .await;
    page.run(PASTE, vec![json!(most)]).await;
    page.until("#text-length", &["4,000 of 4,000 characters"]).await;
    page.click("#send").await;
    page.until("#text-length", NOTHING).await;
    page.until("#problem", NOTHING).await;
    page.run(PASTE, vec![json!(some)]).await;
    page.click("#send").await;
    page.until(MESSAGES, &[&most, &some]).await;
    for text in [most, some] {
        assert_eq!(bob.expect_message("chat_message").await["text"], text);
    }
    page.assert_clean().await;
}
