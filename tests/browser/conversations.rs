//! Two people who talk: in a room, in private, and what each sees of the other.

use tests::chat::ChatServer;

use crate::page::{DESK, PHONE, Page};
use crate::{MEMBERS, MESSAGES, NOTHING, browsers};

#[tokio::test]
async fn two_people_see_each_other_and_what_they_write() {
    let Some((driver, _guard)) = browsers().await else { return };
    let chat = ChatServer::start();
    let alice = Page::open(&driver, "alice", DESK, &chat.url("/")).await;
    alice.until("#enter", &["Enter"]).await;
    alice.pictures("desk-entrance").await;
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
    bob.until_run("return document.title", vec![], "(1) lobby · Chat".into()).await;
    bob.pictures("desk-unread").await;
    bob.click("#rooms [data-key='#tea room']").await;
    bob.until(MESSAGES, &["Milk or lemon?"]).await;
    bob.until("#rooms .unread", NOTHING).await;
    bob.until_run("return document.title", vec![], "tea room · Chat".into()).await;
    for page in [&alice, &bob] {
        page.is_clean().await;
    }
    bob.close().await;
    alice.until(MEMBERS, &["alice"]).await;
}

#[tokio::test]
async fn private_messages_and_typing_are_seen_by_those_they_are_for() {
    let Some((driver, _guard)) = browsers().await else { return };
    let chat = ChatServer::start();
    let alice = Page::open(&driver, "alice", DESK, &chat.url("/?user=alice")).await;
    let bob = Page::open(&driver, "bob", PHONE, &chat.url("/?user=bob")).await;
    alice.until(MEMBERS, &["alice", "bob"]).await;
    bob.until("#about", &["Public room · 2 members"]).await;

    alice.write("#text", "Shall I say it").await;
    bob.until("#typing", &["alice is typing…"]).await;
    bob.pictures("phone-typing").await;
    // Who has sent, or emptied the field, or gone quiet, types no longer.
    alice.say("?").await;
    bob.until("#typing", &[""]).await;
    bob.write("#text", "Go").await;
    alice.until("#typing", &["bob is typing…"]).await;
    alice.until("#typing", &[""]).await;

    alice.click("#members [data-key='bob']").await;
    alice.until("#current-room", &["bob"]).await;
    alice.until("#nothing-hint", &["Only you and bob can see what you write."]).await;
    alice.say("Just between us").await;
    alice.until(MESSAGES, &["Just between us"]).await;
    // The phone shows that there is something, and to those who do not see it, it is said.
    bob.until("#elsewhere", &[", unread"]).await;
    bob.until("#announcement", &["Private message from alice"]).await;
    bob.until(MESSAGES, &["Shall I say it?"]).await;
    bob.click("#open-rooms").await;
    bob.until("#directs .unread", &["1 unread"]).await;
    bob.pictures("phone-conversations").await;
    bob.click("#directs [data-key='@alice']").await;
    bob.until(MESSAGES, &["Just between us"]).await;
    bob.until("#elsewhere", NOTHING).await;
    bob.say("I am all ears").await;
    for page in [&alice, &bob] {
        page.until(MESSAGES, &["Just between us", "I am all ears"]).await;
        page.until("#messages .note", NOTHING).await;
    }
    alice.pictures("desk-private").await;
    for page in [&alice, &bob] {
        page.is_clean().await;
    }
    bob.close().await;
    chat.until_connections(1).await;
    alice.say("Still there?").await;
    alice.until("#messages .note", &["Not delivered: bob is offline."]).await;
}
