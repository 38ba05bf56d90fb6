//! How much a user may send.

use std::time::Duration;

use agentcore::testing::hold_clock;
use agentcore::tokio;
use agentcore::tokio::time::advance;

use super::{ChatSettings, connect, join, line, of, open_mode, start};
use crate::messages::{RoomsList, UserTypingStart};

/// Joining is the first of four messages in a minute; then three lines are left.
fn narrow() -> ChatSettings {
    ChatSettings { rate_messages: 4, rate_window: Duration::from_secs(60), ..open_mode() }
}

#[tokio::test(start_paused = true)]
async fn too_many_lines_are_refused_until_the_window_has_moved_on() {
    // The store answers from a thread of its own: the clock must not run on meanwhile.
    let _held = hold_clock();
    let app = start(narrow()).await;
    let mut ada = connect(&app, "ada").await;
    ada.ignore("chat_message");
    join(&mut ada, "lobby").await;
    advance(Duration::from_secs(10)).await;
    for _ in 0..3 {
        ada.request::<()>(&line("lobby", "again")).await;
    }
    let refused = ada.try_request::<()>(&line("lobby", "and again")).await.unwrap_err();
    assert_eq!((&*refused.code, refused.retry_after_ms), ("RATE_LIMIT_EXCEEDED", Some(50_000)));
    // Coming back makes no difference: it is the user who has sent too much.
    ada.close(1000).await;
    let mut ada = connect(&app, "ada").await;
    let refused = ada.try_request_as::<()>("join_room", &of("lobby")).await.unwrap_err();
    advance(Duration::from_millis(refused.retry_after_ms.unwrap())).await;
    join(&mut ada, "lobby").await;
}

#[tokio::test(start_paused = true)]
async fn typing_and_lists_cost_nothing() {
    let _held = hold_clock();
    let app = start(narrow()).await;
    let (mut ada, mut bob) = (connect(&app, "ada").await, connect(&app, "bob").await);
    join(&mut ada, "lobby").await;
    join(&mut bob, "lobby").await;
    ada.ignore("user_joined_room");
    for _ in 0..20 {
        bob.send_as("typing_start", &of("lobby")).await;
        ada.expect::<UserTypingStart>().await;
        let rooms: RoomsList = bob.request_as("list_rooms", &()).await;
        assert_eq!(rooms.rooms.len(), 1);
    }
    bob.request::<()>(&line("lobby", "and it is said")).await;
}
