//! An application for a test, its clients, and the requests that most tests send.

use std::time::Duration;

use agentcore::prelude::*;
use agentcore::testing::{TestApp, TestClient};

use crate::application;
use crate::messages::{MessageHistory, RoomInfo, RoomJoined, RoomRef, SendChatMessage, Welcome};
use crate::settings::ChatSettings;
use crate::store::{Store, StoreLocation};

/// Settings of a chat with an empty store, without tokens, and with a rate limit that no test reaches.
pub(super) fn open_mode() -> ChatSettings {
    ChatSettings {
        store: StoreLocation::Sqlite(":memory:".into()),
        is_single_node: true,
        rate_messages: 100_000,
        rate_window: Duration::from_secs(60),
        tokens: None,
        demo_tokens: false,
        publish_key: None,
    }
}

pub(super) async fn start(settings: ChatSettings) -> TestApp {
    start_with_store(settings).await.0
}

/// Starts an application and returns it with its store.
pub(super) async fn start_with_store(settings: ChatSettings) -> (TestApp, Store) {
    let store = settings.store.open().await.unwrap();
    (TestApp::start(application(AgentCore::new(Settings::default()), store.clone(), settings)).await, store)
}

/// Connects a user and reads the welcome.
pub(super) async fn connect(app: &TestApp, user: &str) -> TestClient {
    let mut client = app.connect(format!("/ws/{user}")).await;
    assert_eq!(client.expect::<Welcome>().await.user_id, *client.user());
    client
}

/// Joins a room and reads all answers.
pub(super) async fn join(client: &mut TestClient, name: &str) -> (RoomInfo, MessageHistory) {
    let joined: RoomJoined = client.request_as("join_room", &room(name)).await;
    assert_eq!(joined.room, name);
    (client.expect().await, client.expect().await)
}

pub(super) fn room(name: &str) -> RoomRef {
    RoomRef { room: name.to_owned() }
}

pub(super) fn chat_message(room: &str, text: &str) -> SendChatMessage {
    SendChatMessage { room: room.to_owned(), text: text.to_owned() }
}
