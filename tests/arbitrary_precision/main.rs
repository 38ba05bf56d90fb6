//! A program in which another crate turns on `arbitrary_precision` of serde_json: numbers stay numbers in both codecs.
//! `tests/features.rs` builds and runs it as a package of its own, because the feature would reach the whole workspace.

use agentcore::prelude::*;
use agentcore::testing::{TestApp, TestClient};
use serde_json::{Value, json};

#[message]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Event {
    Scaled { by: f64 },
}

#[message("post")]
struct Post {
    count: u32,
    factor: f64,
    free: Value,
    #[serde(flatten)]
    event: Event,
}

#[consumer(path = "/ws", sends(Post))]
struct Room;

#[consumer]
impl Room {
    #[on(connect)]
    async fn connect(&mut self, cx: &Context<Self>) -> Result<()> {
        cx.join("room").await.map(drop)
    }

    /// The group gets the message as JSON that is converted to MessagePack; the reply is encoded directly.
    #[on("post")]
    async fn post(&mut self, cx: &Context<Self>, post: Post) -> Result<Post> {
        cx.group("room").send(&post).await?;
        Ok(post)
    }
}

async fn check(sender: &mut TestClient, other: &mut TestClient) {
    let data = json!({ "count": 7, "factor": 2.5, "free": { "a": [1.5, -2, u64::MAX] }, "kind": "scaled", "by": 0.25 });
    let reply: Value = sender.request_as("post", &data).await;
    assert_eq!(reply, data);
    assert_eq!(sender.expect_type("post").await.data, data);
    assert_eq!(other.expect_type("post").await.data, data);
    let wrong = json!({ "count": 1.5, "factor": "x", "free": 0.5, "kind": "scaled", "by": true });
    sender.send_as("post", &wrong).await;
    let error = sender.expect_error("VALIDATION_FAILED").await;
    let details = error.details.errors.iter();
    let mut found: Vec<_> = details.map(|detail| format!("{} {}", detail.field, detail.rule)).collect();
    found.sort();
    assert_eq!(found, ["by type", "count type", "factor type"]);
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert_eq!(json!(1.50).to_string(), "1.5");
    assert_eq!(serde_json::from_str::<Value>("1.50").expect("a number").to_string(), "1.50", "the feature is on");
    let app = TestApp::start(AgentCore::new(Settings::default()).consumer::<Room>()).await;
    let mut json = app.connect("/ws").await;
    let mut packed = app.connect("/ws").codec(agentcore::Codec::MessagePack).await;
    check(&mut json, &mut packed).await;
    check(&mut packed, &mut json).await;
    let data = r#"{"count":1.0,"factor":1,"free":1.50,"kind":"scaled","by":1}"#;
    json.send_text(format!(r#"{{"type":"post","ref":7.0,"data":{data}}}"#)).await;
    assert_eq!(json.expect_type("post").await.data["count"], 1);
    assert_eq!(json.expect_type("reply").await.reference, Some(7));
}
