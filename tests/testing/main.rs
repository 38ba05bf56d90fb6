//! `agentcore::testing`: what it detects, and that its expectations fail when they must.
#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test stops where it fails")]

use std::time::Duration;

use agentcore::axum::Router;
use agentcore::axum::extract::Json;
use agentcore::axum::routing::{get, post};
use agentcore::extract::ClientIp;
use agentcore::prelude::*;
use agentcore::testing::{TestApp, TestClient};
use agentcore::{GroupName, tokio};

mod broadcasts;
mod clock;
mod connecting;
mod expectations;
mod failures;
mod frames;
mod routes;
mod slow;

#[message("enter")]
struct Enter {
    group: GroupName,
}

#[message("entered")]
#[derive(Debug, PartialEq)]
struct Entered {
    group: GroupName,
    user_id: UserId,
}

#[message("left")]
#[derive(Debug, PartialEq)]
struct Left {
    group: GroupName,
    user_id: UserId,
}

#[message("say")]
struct Say {
    group: GroupName,
    #[validate(length(min = 1))]
    text: String,
    /// The time that the handler takes before it sends.
    #[serde(default)]
    after_ms: u64,
}

#[message("said")]
#[derive(Debug, PartialEq)]
struct Said {
    user_id: UserId,
    text: String,
}

#[message("who")]
struct Who {}

#[message("you")]
#[derive(Debug, PartialEq)]
struct You {
    user_id: UserId,
    admin: Option<bool>,
}

#[message("break_down")]
struct BreakDown {}

#[consumer(path = "/room/{user_id}", sends(Entered, Left, Said))]
struct Room {
    #[path]
    #[user]
    user_id: UserId,
}

#[consumer]
impl Room {
    #[on(connect)]
    async fn greet(&mut self, cx: &Context<Self>) -> Result<()> {
        match self.user_id.as_str() {
            "nobody" => Err(Error::authorization("nobody may come in")),
            "greeted" => cx.send(&Said { user_id: self.user_id.clone(), text: "hello".to_owned() }).await,
            _ => Ok(()),
        }
    }

    #[on("enter")]
    async fn enter(&mut self, cx: &Context<Self>, Enter { group }: Enter) -> Result<()> {
        let user_id = self.user_id.clone();
        let entered = Entered { group: group.clone(), user_id: user_id.clone() };
        cx.join_present(group.clone(), &entered, &Left { group, user_id }).await.map(|_| ())
    }

    #[on("say", timeout = "60s", cancel_safe)]
    async fn say(&mut self, cx: &Context<Self>, Say { group, text, after_ms }: Say) -> Result<()> {
        if after_ms > 0 {
            tokio::time::sleep(Duration::from_millis(after_ms)).await;
        }
        cx.group(group).send(&Said { user_id: self.user_id.clone(), text }).await
    }

    #[on("who")]
    async fn who(&mut self, cx: &Context<Self>, _asked: Who) -> You {
        you(cx.identity().user().clone(), &cx.identity())
    }

    #[on("break_down")]
    async fn break_down(&mut self, _asked: BreakDown) {
        panic!("a handler that breaks down");
    }
}

/// A consumer that leaves the identity of its clients to an authenticator.
#[consumer(path = "/members")]
struct Members {}

#[consumer]
impl Members {
    #[on("who")]
    async fn who(&mut self, cx: &Context<Self>, _asked: Who) -> You {
        you(cx.user_id().clone(), &cx.identity())
    }
}

fn you(user_id: UserId, identity: &Identity) -> You {
    You { user_id, admin: identity.claim("admin") }
}

fn application(settings: Settings) -> AgentCore {
    let routes = Router::new()
        .route("/api/greeting", get(async || "hello"))
        .route("/api/echo", post(async |Json(value): Json<Vec<u32>>| Json(value)))
        .route("/api/address", get(async |ClientIp(ip): ClientIp| Json(ip)))
        .route("/api/broken", get(async || Error::authorization("not for you")));
    AgentCore::new(settings).consumer::<Room>().consumer::<Members>().routes(routes)
}

async fn start() -> TestApp {
    TestApp::start(application(Settings::default())).await
}

fn group() -> GroupName {
    GroupName::new("g").expect("a name")
}

fn enter() -> Enter {
    Enter { group: group() }
}

fn say(text: &str) -> Say {
    Say { group: group(), text: text.to_owned(), after_ms: 0 }
}

fn user(name: &str) -> UserId {
    UserId::new(name).expect("a user")
}

fn said(name: &str, text: &str) -> Said {
    Said { user_id: user(name), text: text.to_owned() }
}

/// Connects Alice and Bob to one group, with nothing pending.
async fn two() -> (TestApp, TestClient, TestClient) {
    let app = start().await;
    let mut alice = app.connect("/room/alice").await;
    let mut bob = app.connect("/room/bob").await;
    alice.request::<()>(&enter()).await;
    bob.request::<()>(&enter()).await;
    alice.expect::<Entered>().await;
    (app, alice, bob)
}
