//! Two users in rooms and in private: messages, members, typing, unread marks.

use tests::chat::ChatServer;

use crate::page::{DESKTOP, PHONE, Page};
use crate::{MEMBERS, MESSAGES, NOTHING, browsers};

#[tokio::test]
async fn two_users_see_each_other_and_their_messages() {
    let Some((driver, _permit)) = browsers().await else { return };
    let chat = ChatServer::start();
    let alice = Page::open(&driver, "alice", DESKTOP, &chat.url("/")).await;
    alice.until("#enter", &["Enter"]).await;
    alice.screenshots("desktop-entrance").await;
    alice.write("#user-name", "alice").await;
    alice.click("#enter").await;
    alice.until("#state", &["online"]).await;
    alice.until("#current-room", &["lobby"]).await;
    alice.until(MEMBERS, &["alice"]).await;

    let bob = Page::open(&driver, "bob", DESKTOP, &chat.url("/?user=bob")).await;
    bob.until(MEMBERS, &["bob", "alice"]).await;
    alice.until(MEMBERS, &["alice", "bob"]).await;

    alice.post("Hello, bob!").await;
    let markup = "<img src=x onerror=\"document.title='owned'\"> & <b>bold</b>";
    bob.until(MESSAGES, &["Hello, bob!"]).await;
    bob.post(markup).await;
    for page in [&alice, &bob] {
        page.until(MESSAGES, &["Hello, bob!", markup]).await;
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
    alice.post("Milk or lemon?").await;
    bob.until("#rooms .unread", &["1 unread"]).await;
    bob.until_run("return document.title", vec![], "(1) lobby · Chat".into()).await;
    bob.screenshots("desktop-unread").await;
    bob.click("#rooms [data-key='#tea room']").await;
    bob.until(MESSAGES, &["Milk or lemon?"]).await;
    bob.until("#rooms .unread", NOTHING).await;
    bob.until_run("return document.title", vec![], "tea room · Chat".into()).await;
    for page in [&alice, &bob] {
        page.assert_clean().await;
    }
    bob.close().await;
    alice.until(MEMBERS, &["alice"]).await;
}

#[tokio::test]
async fn typing_and_private_messages_reach_the_other_user() {
    let Some((driver, _permit)) = browsers().await else { return };
    let chat = ChatServer::start();
    let alice = Page::open(&driver, "alice", DESKTOP, &chat.url("/?user=alice")).await;
    let bob = Page::open(&driver, "bob", PHONE, &chat.url("/?user=bob")).await;
    alice.until(MEMBERS, &["alice", "bob"]).await;
    bob.until("#about", &["Public room · 2 members"]).await;

    alice.write("#text", "Shall I say it").await;
    bob.until("#typing", &["alice is typing…"]).await;
    bob.screenshots("phone-typing").await;
    // Typing ends when the message is sent, or when the text has not changed for a while.
    alice.post("?").await;
    bob.until("#typing", &[""]).await;
    bob.write("#text", "Go").await;
    alice.until("#typing", &["bob is typing…"]).await;
    alice.until("#typing", &[""]).await;

    alice.click("#members [data-key='bob']").await;
    alice.until("#current-room", &["bob"]).await;
    alice.until("#nothing-hint", &["Only you and bob can see what you write."]).await;
    alice.post("Just between us").await;
    alice.until(MESSAGES, &["Just between us"]).await;
    // The phone shows an unread mark, and announces the message to screen readers.
    bob.until("#elsewhere", &[", unread"]).await;
    bob.until("#announcement", &["Private message from alice"]).await;
    bob.until(MESSAGES, &["Shall I say it?"]).await;
    bob.click("#open-rooms").await;
    bob.until("#directs .unread", &["1 unread"]).await;
    bob.screenshots("phone-conversations").await;
    bob.click("#directs [data-key='@alice']").await;
    bob.until(MESSAGES, &["Just between us"]).await;
    bob.until("#elsewhere", NOTHING).await;
    bob.post("I am all ears").await;
    for page in [&alice, &bob] {
        page.until(MESSAGES, &["Just between us", "I am all ears"]).await;
        page.until("#messages .note", NOTHING).await;
    }
    alice.screenshots("desktop-private").await;
    for page in [&alice, &bob] {
        page.assert_clean().await;
    }
    bob.close().await;
    chat.until_connections(1).await;
    alice.post("Still there?").await;
    alice.until("#messages .note", &["Not delivered: bob is offline."]).await;
}
