//! Private rooms and private messages.

use agentcore::tokio;

use super::setup::{chat_message, connect, join, open_mode, room, start};
use crate::messages::{
    ChatMessage, CreateRoom, Invite, Invited, PrivateMessage, PrivateMessageSent, RoomCreated, SendPrivateMessage,
    UserJoinedRoom,
};

#[tokio::test]
async fn an_invited_user_can_join_a_private_room() {
    let app = start(open_mode()).await;
    let (mut ada, mut bob) = (connect(&app, "ada").await, connect(&app, "bob").await);
    let cellar = CreateRoom { room_name: "cellar".to_owned(), is_public: false };
    let created: RoomCreated = ada.request(&cellar).await;
    assert!(!created.is_public);
    let refused = bob.try_request_as::<()>("join_room", &room("cellar")).await.unwrap_err();
    assert_eq!(refused.code, "FORBIDDEN");
    ada.expect_nothing().await;

    let invite = Invite { room: "cellar".to_owned(), user_id: "bob".to_owned() };
    let _: Invited = ada.request(&invite).await;
    assert_eq!(bob.expect::<Invited>().await.from_user_id, *ada.user());
    join(&mut bob, "cellar").await;
    ada.expect::<UserJoinedRoom>().await;
    bob.send(&chat_message("cellar", "dark in here")).await;
    assert_eq!(ada.expect::<ChatMessage>().await.text, "dark in here");
}

#[tokio::test]
async fn a_private_message_reaches_every_connection_of_its_recipient() {
    let app = start(open_mode()).await;
    let mut ada = connect(&app, "ada").await;
    let mut bobs = [connect(&app, "bob").await, connect(&app, "bob").await];
    let mut carol = connect(&app, "carol").await;
    let message_to = |to: &str| SendPrivateMessage { target_user_id: to.to_owned(), text: "psst".to_owned() };
    let sent: PrivateMessageSent = ada.request(&message_to("bob")).await;
    assert_eq!((sent.delivered, sent.complete), (2, true));
    for bob in &mut bobs {
        assert_eq!(bob.expect::<PrivateMessage>().await.text, "psst");
    }
    let sent: PrivateMessageSent = ada.request(&message_to("nobody")).await;
    assert_eq!(sent.delivered, 0);
    ada.expect_nothing().await;
    carol.expect_nothing().await;
}
