//! The page of the chat, in two browsers that talk with each other.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test stops where it fails"
)]

#[path = "browser/page.rs"]
mod page;

use page::{DESK, PHONE, Page};
use tests::browser::{Driver, missing};
use tests::chat::ChatServer;
use tokio::sync::{Mutex, MutexGuard};

const NOTHING: &[&str] = &[];
const MESSAGES: &str = "#messages .message .text";
const MEMBERS: &str = "#members .name";

/// Browsers, if there are any; one test at a time, because they are heavy.
async fn browsers() -> Option<(Driver, MutexGuard<'static, ()>)> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
    if let Some(reason) = missing() {
        assert!(std::env::var_os("CI").is_none(), "the page cannot be tested: {reason}");
        println!("SKIPPED: {reason}");
        return None;
    }
    let guard = ONE_AT_A_TIME.lock().await;
    Some((Driver::start(), guard))
}

#[tokio::test]
async fn two_people_see_each_other_and_what_they_write() {
    let Some((driver, _guard)) = browsers().await else { return };
    let chat = ChatServer::start();
    let alice = Page::open(&driver, "alice", DESK, &chat.url("/")).await;
    alice.until("#enter", &["Enter"]).await;
    alice.picture("entrance").await;
    alice.write("#user-name", "alice").await;
    alice.click("#enter").await;
    alice.until("#state", &["online"]).await;
    alice.until("#current-room", &["lobby"]).await;
    alice.until(MEMBERS, &["alice"]).await;

    let bob = Page::open(&driver, "bob", DESK, &chat.url("/?user=bob")).await;
    bob.until(MEMBERS, &["bob", "alice"]).await;
    alice.until(MEMBERS, &["alice", "bob"]).await;

    alice.say("Hello, bob!").await;
    let markup = "<img src=x onerror=\"document.title='owned'\"> & <b>bold</b>";
    bob.until(MESSAGES, &["Hello, bob!"]).await;
    bob.say(markup).await;
    for page in [&alice, &bob] {
        page.until(MESSAGES, &["Hello, bob!", markup]).await;
        assert_eq!(page.count("#messages img").await, 0, "what people write is text");
    }

    bob.reload().await;
    bob.until(MESSAGES, &["Hello, bob!", markup]).await;
    bob.until(MEMBERS, &["bob", "alice"]).await;

    for page in [&bob, &alice] {
        page.write("#new-room", "tea room").await;
        page.click("#create-room").await;
        page.until("#current-room", &["tea room"]).await;
    }
    bob.until(MEMBERS, &["bob", "alice"]).await;
    alice.until(MESSAGES, NOTHING).await;
    bob.click("#rooms [data-key='#lobby']").await;
    bob.until(MESSAGES, &["Hello, bob!", markup]).await;
    alice.say("Milk or lemon?").await;
    bob.until("#rooms .unread", &["1 unread"]).await;
    alice.picture("rooms").await;
    bob.picture("unread").await;
    bob.click("#rooms [data-key='#tea room']").await;
    bob.until(MESSAGES, &["Milk or lemon?"]).await;

    for page in [&alice, &bob] {
        assert_eq!(page.complaints(&driver).await, Vec::<serde_json::Value>::new());
    }
    bob.close().await;
    alice.until(MEMBERS, &["alice"]).await;
}

#[tokio::test]
async fn the_page_comes_back_by_itself_after_a_restart_of_the_server() {
    let Some((driver, _guard)) = browsers().await else { return };
    let mut chat = ChatServer::start();
    let alice = Page::open(&driver, "alice", DESK, &chat.url("/?user=alice")).await;
    let bob = Page::open(&driver, "bob", PHONE, &chat.url("/?user=bob")).await;
    for page in [&alice, &bob] {
        page.until("#state", &["online"]).await;
        page.until("#about", &["Public room · 2 members"]).await;
    }
    alice.say("Before the restart").await;
    bob.until(MESSAGES, &["Before the restart"]).await;
    bob.say("From a phone").await;
    alice.until(MESSAGES, &["Before the restart", "From a phone"]).await;
    bob.picture("online").await;
    bob.click("#open-rooms").await;
    bob.until("#me-name", &["bob"]).await;
    bob.picture("conversations").await;
    bob.click("#rooms [data-key='#lobby']").await;

    assert!(chat.stop().success(), "a server that is told to end ends well");
    for page in [&alice, &bob] {
        page.until_there("#state[data-state='reconnecting']").await;
        page.picture("reconnecting").await;
    }
    chat.start_again();
    for page in [&alice, &bob] {
        page.until("#state", &["online"]).await;
        page.until("#about", &["Public room · 2 members"]).await;
        page.until(MESSAGES, &["Before the restart", "From a phone"]).await;
    }
    alice.say("After the restart").await;
    bob.until(MESSAGES, &["Before the restart", "From a phone", "After the restart"]).await;
    alice.until(MESSAGES, &["Before the restart", "From a phone", "After the restart"]).await;
    bob.reload().await;
    bob.until(MESSAGES, &["Before the restart", "From a phone", "After the restart"]).await;
}
