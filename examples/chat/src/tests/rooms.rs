//! Rooms for everybody: who is in them, what is said, who types.

use std::time::Duration;

use agentcore::testing::{expect_broadcast, hold_clock};
use agentcore::tokio;
use agentcore::tokio::time::advance;

use super::{connect, join, line, of, open_mode, start};
use crate::messages::{RoomLeft, RoomUsers, Said, UserJoinedRoom, UserLeftRoom, UserTypingStart, UserTypingStop};

#[tokio::test]
async fn who_joins_hears_what_there_is_and_the_others_hear_of_it() {
    let app = start(open_mode()).await;
    let (mut ada, mut bob) = (connect(&app, "ada").await, connect(&app, "bob").await);
    let (room, history) = join(&mut ada, "lobby").await;
    assert_eq!((room.user_count, &*room.created_by, room.is_public), (1, "ada", true));
    assert!(history.messages.is_empty());
    ada.send(&line("lobby", "anybody here?")).await;
    let said = ada.expect::<Said>().await;
    bob.expect_nothing().await;

    let (room, history) = join(&mut bob, "lobby").await;
    assert_eq!((room.user_count, &*room.created_by), (2, "ada"));
    assert_eq!(history.messages.into_iter().map(|it| it.id).collect::<Vec<_>>(), [said.id]);
    assert_eq!(ada.expect::<UserJoinedRoom>().await.user_id, *bob.user());
    // Bob's own arrival is no news to Bob.
    bob.expect_nothing().await;

    let users: RoomUsers = ada.request_as("get_room_users", &of("lobby")).await;
    assert_eq!(users.total, 2);
}

#[tokio::test]
async fn a_line_reaches_everybody_in_its_room_and_nobody_else() {
    let app = start(open_mode()).await;
    let mut clients = Vec::new();
    for (user, room) in [("ada", "lobby"), ("bob", "lobby"), ("carol", "kitchen")] {
        let mut client = connect(&app, user).await;
        client.ignore("user_joined_room");
        join(&mut client, room).await;
        clients.push(client);
    }
    let [ada, bob, carol] = &mut *clients else { unreachable!("three were connected") };
    ada.send(&line("lobby", "hello")).await;
    let said: Said = expect_broadcast([&mut *ada, bob]).await;
    assert_eq!((&*said.user_id, &*said.text), ("ada", "hello"));
    carol.expect_nothing().await;
    carol.send(&line("lobby", "and me?")).await;
    carol.expect_error("FORBIDDEN").await;
    ada.expect_nothing().await;
}

#[tokio::test]
async fn typing_is_shown_to_the_others_and_on_no_connection_of_who_types() {
    let app = start(open_mode()).await;
    let (mut ada, mut bob) = (connect(&app, "ada").await, connect(&app, "bob").await);
    let mut phone = connect(&app, "ada").await;
    for client in [&mut ada, &mut phone, &mut bob] {
        client.ignore("user_joined_room");
        join(client, "lobby").await;
    }
    ada.send_as("typing_start", &of("lobby")).await;
    assert_eq!(bob.expect::<UserTypingStart>().await.user_id, *ada.user());
    ada.send_as("typing_stop", &of("lobby")).await;
    assert_eq!(bob.expect::<UserTypingStop>().await.user_id, *ada.user());
    for client in [&mut ada, &mut phone, &mut bob] {
        client.expect_nothing().await;
    }
}

#[tokio::test]
async fn who_leaves_hears_no_more_and_the_others_hear_of_it() {
    let app = start(open_mode()).await;
    let (mut ada, mut bob) = (connect(&app, "ada").await, connect(&app, "bob").await);
    join(&mut ada, "lobby").await;
    join(&mut bob, "lobby").await;
    ada.expect::<UserJoinedRoom>().await;
    let left: RoomLeft = bob.request_as("leave_room", &of("lobby")).await;
    assert_eq!(left.room, "lobby");
    assert_eq!(ada.expect::<UserLeftRoom>().await.user_id, *bob.user());
    ada.send(&line("lobby", "bye")).await;
    ada.expect::<Said>().await;
    bob.expect_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_loaded_again_is_no_coming_and_going() {
    // The store answers from a thread of its own: the clock must not run on meanwhile.
    let _held = hold_clock();
    let app = start(open_mode()).await;
    let (mut ada, mut bob) = (connect(&app, "ada").await, connect(&app, "bob").await);
    join(&mut ada, "lobby").await;
    join(&mut bob, "lobby").await;
    ada.expect::<UserJoinedRoom>().await;
    bob.close(1001).await;
    advance(Duration::from_secs(2)).await;
    let mut bob = connect(&app, "bob").await;
    join(&mut bob, "lobby").await;
    advance(Duration::from_secs(60)).await;
    ada.expect_nothing().await;

    bob.close(1001).await;
    ada.expect_nothing().await;
    advance(Duration::from_secs(3)).await;
    assert_eq!(ada.expect::<UserLeftRoom>().await.user_id, *bob.user());
}
