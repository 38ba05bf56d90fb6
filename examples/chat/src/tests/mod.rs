//! The chat as its users meet it, inside of the test: see `agentcore::testing`.
#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected must fail")]

use std::time::Duration;

use agentcore::prelude::*;
use agentcore::testing::{TestApp, TestClient};

use crate::application;
use crate::auth::Tokens;
use crate::messages::{MessageHistory, RoomInfo, RoomJoined, RoomRef, Say, Welcome};
use crate::settings::ChatSettings;
use crate::store::Place;

mod limits;
mod private;
mod rooms;
mod users;

/// A chat without history, whose users are whoever they say they are, and may send as much as they like.
fn open_mode() -> ChatSettings {
    ChatSettings {
        store: Place::Sqlite(":memory:".into()),
        rate_messages: 100_000,
        rate_window: Duration::from_secs(60),
        tokens: None,
        demo_tokens: false,
        publish_key: None,
    }
}

async fn start(settings: ChatSettings) -> TestApp {
    TestApp::start(application(AgentCore::new(Settings::default()), settings).await.unwrap()).await
}

/// A user's client, welcomed.
async fn connect(app: &TestApp, user: &str) -> TestClient {
    let mut client = app.connect(format!("/ws/{user}")).await;
    assert_eq!(client.expect::<Welcome>().await.user_id, *client.user());
    client
}

/// Joins, and reads all that tells of it.
async fn join(client: &mut TestClient, room: &str) -> (RoomInfo, MessageHistory) {
    let joined: RoomJoined = client.request_as("join_room", &of(room)).await;
    assert_eq!(joined.room, room);
    (client.expect().await, client.expect().await)
}

fn of(room: &str) -> RoomRef {
    RoomRef { room: room.to_owned() }
}

fn line(room: &str, text: &str) -> Say {
    Say { room: room.to_owned(), text: text.to_owned() }
}
