//! Private rooms and invitations.

use serde_json::json;
use tests::chat::{ChatClient, ChatServer};

use crate::page::{DESKTOP, PHONE, Page};
use crate::{MEMBERS, MESSAGES, NOTHING, browsers};

#[tokio::test]
async fn an_invited_user_joins_a_private_room() {
    let Some((driver, _permit)) = browsers().await else { return };
    let chat = ChatServer::start();
    let alice = Page::open(&driver, "alice", DESKTOP, &chat.url("/?user=alice")).await;
    let bob = Page::open(&driver, "bob", PHONE, &chat.url("/?user=bob")).await;
    bob.until("#state", &["online"]).await;
    alice.until("#invite", NOTHING).await;
    alice.write("#new-room", "den").await;
    alice.click("#new-room-private").await;
    alice.click("#create-room").await;
    alice.until("#current-room", &["den"]).await;
    alice.until("#about", &["Private room · 1 member"]).await;
    alice.post("Nobody else reads this yet").await;

    // Other users neither see nor enter the room.
    let mut carol = ChatClient::connect(&chat, "carol").await;
    let rooms = carol.request("list_rooms", json!({})).await;
    assert_eq!(rooms["rooms"].as_array().map(Vec::len), Some(1), "{rooms}");
    bob.click("#open-rooms").await;
    bob.until("#rooms .name", &["lobby"]).await;
    bob.write("#new-room", "den").await;
    bob.click("#create-room").await;
    bob.until("#new-room-hint", &["This room is private: one of its members has to invite you."]).await;
    bob.screenshots("phone-refused").await;

    alice.click("#invite").await;
    alice.until("#invitation-title", &["Invite to den"]).await;
    alice.write("#invite-user", "b b").await;
    alice.click("#send-invite").await;
    alice.until("#invite-user-hint", &["Use up to 64 letters, digits, _, - and ."]).await;
    alice.screenshots("desktop-invitation").await;
    alice.click("#cancel-invite").await;
    alice.click("#invite").await;
    alice.write("#invite-user", "bob").await;
    alice.click("#send-invite").await;
    alice.until("#notice-text", &["bob can now join den."]).await;

    bob.until("#notice-text", &["alice invites you to the private room den."]).await;
    bob.click("#rooms [data-key='#lobby']").await;
    bob.screenshots("phone-invited").await;
    bob.click("#notice-join").await;
    bob.until("#current-room", &["den"]).await;
    bob.until(MESSAGES, &["Nobody else reads this yet"]).await;
    bob.until("#notice", NOTHING).await;
    alice.until(MEMBERS, &["alice", "bob"]).await;
    bob.post("Cosy").await;
    alice.until(MESSAGES, &["Nobody else reads this yet", "Cosy"]).await;

    bob.click("#leave").await;
    bob.until("#current-room", &["lobby"]).await;
    alice.until(MEMBERS, &["alice"]).await;
    // The admission remains, so the room stays in bob's list.
    bob.click("#open-rooms").await;
    bob.until("#rooms .joinable .name", &["den"]).await;
    for page in [&alice, &bob] {
        page.assert_clean().await;
    }
}
