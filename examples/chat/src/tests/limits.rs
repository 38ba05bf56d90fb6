//! The rate limit of a user.

use std::time::Duration;

use agentcore::testing::hold_clock;
use agentcore::tokio;
use agentcore::tokio::time::advance;

use super::setup::{chat_message, connect, join, open_mode, room, start};
use crate::messages::{RoomsList, UserTypingStart};
use crate::settings::ChatSettings;

/// Four messages a minute: one to join a room, and three to send.
fn four_a_minute() -> ChatSettings {
    ChatSettings { rate_messages: 4, rate_window: Duration::from_secs(60), ..open_mode() }
}

#[tokio::test(start_paused = true)]
async fn messages_over_the_limit_are_refused_until_the_window_has_moved() {
    // The store answers from another thread, and the clock must not advance meanwhile.
    let _held = hold_clock();
    let app = start(four_a_minute()).await;
    let mut ada = connect(&app, "ada").await;
    ada.ignore("chat_message");
    join(&mut ada, "lobby").await;
    advance(Duration::from_secs(10)).await;
    for _ in 0..3 {
        ada.request::<()>(&chat_message("lobby", "again")).await;
    }
    let refused = ada.try_request::<()>(&chat_message("lobby", "and again")).await.unwrap_err();
    assert_eq!((&*refused.code, refused.retry_after_ms), ("RATE_LIMIT_EXCEEDED", Some(50_000)));
    // A new connection does not help: the limit counts the messages of the user.
    ada.close(1000).await;
    let mut ada = connect(&app, "ada").await;
    let refused = ada.try_request_as::<()>("join_room", &room("lobby")).await.unwrap_err();
    advance(Duration::from_millis(refused.retry_after_ms.unwrap())).await;
    join(&mut ada, "lobby").await;
}

#[tokio::test(start_paused = true)]
async fn typing_and_lists_are_exempt_from_the_limit() {
    let _held = hold_clock();
    let app = start(four_a_minute()).await;
    let (mut ada, mut bob) = (connect(&app, "ada").await, connect(&app, "bob").await);
    join(&mut ada, "lobby").await;
    join(&mut bob, "lobby").await;
    ada.ignore("user_joined_room");
    for _ in 0..20 {
        bob.send_as("typing_start", &room("lobby")).await;
        ada.expect::<UserTypingStart>().await;
        let rooms: RoomsList = bob.request_as("list_rooms", &()).await;
        assert_eq!(rooms.rooms.len(), 1);
    }
    bob.request::<()>(&chat_message("lobby", "and a message")).await;
}
