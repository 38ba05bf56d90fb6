//! Public rooms: members, messages, typing.

use std::time::Duration;

use agentcore::testing::{expect_broadcast, hold_clock};
use agentcore::tokio::time::advance;
use agentcore::{Timestamp, tokio};

use super::setup::{chat_message, connect, join, open_mode, room, start, start_with_store};
use crate::messages::{
    ChatMessage, RoomLeft, RoomUsers, UserJoinedRoom, UserLeftRoom, UserTypingStart, UserTypingStop,
};
use crate::rooms::remove_abandoned;

#[tokio::test]
async fn a_user_who_joins_gets_the_history_and_the_others_are_notified() {
    let app = start(open_mode()).await;
    let (mut ada, mut bob) = (connect(&app, "ada").await, connect(&app, "bob").await);
    let (info, history) = join(&mut ada, "lobby").await;
    assert_eq!((info.user_count, &*info.created_by, info.is_public), (1, "ada", true));
    assert!(history.messages.is_empty());
    ada.send(&chat_message("lobby", "anybody here?")).await;
    let message = ada.expect::<ChatMessage>().await;
    bob.expect_nothing().await;

    let (info, history) = join(&mut bob, "lobby").await;
    assert_eq!((info.user_count, &*info.created_by), (2, "ada"));
    assert_eq!(history.messages.into_iter().map(|each| each.id).collect::<Vec<_>>(), [message.id]);
    assert_eq!(ada.expect::<UserJoinedRoom>().await.user_id, *bob.user());
    // Bob is not notified of himself.
    bob.expect_nothing().await;

    let users: RoomUsers = ada.request_as("get_room_users", &room("lobby")).await;
    assert_eq!(users.total, 2);
}

#[tokio::test]
async fn a_message_reaches_all_members_of_its_room_and_nobody_else() {
    let app = start(open_mode()).await;
    let mut clients = Vec::new();
    for (user, name) in [("ada", "lobby"), ("bob", "lobby"), ("carol", "kitchen")] {
        let mut client = connect(&app, user).await;
        client.ignore("user_joined_room");
        join(&mut client, name).await;
        clients.push(client);
    }
    let [ada, bob, carol] = &mut *clients else { unreachable!("three clients are connected") };
    ada.send(&chat_message("lobby", "hello")).await;
    let message: ChatMessage = expect_broadcast([&mut *ada, bob]).await;
    assert_eq!((&*message.user_id, &*message.text), ("ada", "hello"));
    carol.expect_nothing().await;
    carol.send(&chat_message("lobby", "and me?")).await;
    carol.expect_error("FORBIDDEN").await;
    ada.expect_nothing().await;
}

#[tokio::test]
async fn typing_is_sent_to_the_others_and_to_no_connection_of_the_same_user() {
    let app = start(open_mode()).await;
    let (mut ada, mut bob) = (connect(&app, "ada").await, connect(&app, "bob").await);
    let mut phone = connect(&app, "ada").await;
    for client in [&mut ada, &mut phone, &mut bob] {
        client.ignore("user_joined_room");
        join(client, "lobby").await;
    }
    ada.send_as("typing_start", &room("lobby")).await;
    assert_eq!(bob.expect::<UserTypingStart>().await.user_id, *ada.user());
    ada.send_as("typing_stop", &room("lobby")).await;
    assert_eq!(bob.expect::<UserTypingStop>().await.user_id, *ada.user());
    for client in [&mut ada, &mut phone, &mut bob] {
        client.expect_nothing().await;
    }
}

#[tokio::test]
async fn a_public_room_without_members_and_messages_is_removed() {
    let (app, store) = start_with_store(open_mode()).await;
    let (mut ada, mut bob) = (connect(&app, "ada").await, connect(&app, "bob").await);
    for name in ["with a member", "with a message", "abandoned"] {
        join(&mut ada, name).await;
    }
    ada.ignore("chat_message");
    ada.request::<()>(&chat_message("with a message", "kept")).await;
    for name in ["with a message", "abandoned"] {
        let _: RoomLeft = ada.request_as("leave_room", &room(name)).await;
    }
    let names = async || -> Vec<String> {
        let rooms = store.visible_rooms("ada", Vec::new(), 100).await.unwrap();
        rooms.into_iter().map(|room| room.name).collect()
    };
    remove_abandoned(&store, app.manager(), Timestamp::now().before(Duration::from_secs(60))).await.unwrap();
    assert_eq!(names().await.len(), 3, "a new room has time to get a member");
    remove_abandoned(&store, app.manager(), Timestamp::now().after(Duration::from_secs(60))).await.unwrap();
    assert_eq!(names().await, ["with a member", "with a message"]);
    // The name is free.
    let (info, _) = join(&mut bob, "abandoned").await;
    assert_eq!(&*info.created_by, "bob");
}

#[tokio::test]
async fn a_user_who_leaves_gets_no_more_messages_and_the_others_are_notified() {
    let app = start(open_mode()).await;
    let (mut ada, mut bob) = (connect(&app, "ada").await, connect(&app, "bob").await);
    join(&mut ada, "lobby").await;
    join(&mut bob, "lobby").await;
    ada.expect::<UserJoinedRoom>().await;
    let left: RoomLeft = bob.request_as("leave_room", &room("lobby")).await;
    assert_eq!(left.room, "lobby");
    assert_eq!(ada.expect::<UserLeftRoom>().await.user_id, *bob.user());
    ada.send(&chat_message("lobby", "bye")).await;
    ada.expect::<ChatMessage>().await;
    bob.expect_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn a_page_that_reloads_neither_leaves_nor_joins() {
    // The store answers from another thread, and the clock must not advance meanwhile.
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
