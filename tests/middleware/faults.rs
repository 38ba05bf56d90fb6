//! Middleware that panics, hangs, or cancels a handler.

use std::time::Duration;

use agentcore::middleware::{Incoming, Middleware, Next, Reply};
use agentcore::prelude::*;
use serde_json::{Value, json};
use tests::room::Journal;
use tests::server::{Server, settings};

use crate::{Mirror, Text, app, connect, serve};

/// Fails as the text of an `echo` says.
struct Fails;

impl Middleware for Fails {
    async fn handle<N: Next>(&self, message: Incoming<'_>, next: N) -> Result<Reply> {
        match message.decode::<Text>()?.text.as_str() {
            "panic" => panic!("the middleware panicked"),
            "panic_later" => {
                tokio::task::yield_now().await;
                panic!("the middleware panicked later");
            }
            "hang" => std::future::pending().await,
            "hasty" => match tokio::time::timeout(Duration::from_millis(1), next.run(message)).await {
                Ok(answer) => answer,
                Err(_) => Ok(Reply::default()),
            },
            _ => next.run(message).await,
        }
    }
}

#[tokio::test]
async fn a_panic_in_a_middleware_ends_its_connection_alone() {
    let (server, _) = serve(Fails).await;
    let mut other = connect(&server, "other").await;
    for (kind, text) in [("echo", "panic"), ("echo", "panic_later"), ("panic", ""), ("no_such", "panic")] {
        let mut ada = connect(&server, "ada").await;
        ada.text(&json!({ "type": kind, "data": { "text": text }, "ref": 3 }).to_string()).await;
        let (before, closed) = ada.closed().await;
        assert_eq!(before.len(), 1, "{before:?}");
        assert_eq!((&before[0]["ref"], &before[0]["data"]["code"]), (&json!(3), &json!("INTERNAL_ERROR")));
        assert!(!before[0].to_string().contains("panicked"), "no internals: {before:?}");
        assert_eq!((closed.code, closed.json()["code"].clone()), (Some(1011), json!("INTERNAL_ERROR")));
    }
    assert_eq!(other.ask("echo", json!({ "text": "x" })).await["data"]["text"], "x");
}

#[tokio::test]
async fn the_deadline_of_a_handler_covers_the_chain() {
    let (server, _) = serve(Fails).await;
    let mut ada = connect(&server, "ada").await;
    ada.text(&json!({ "type": "hang", "data": { "text": "hang" }, "ref": 1 }).to_string()).await;
    let (before, closed) = ada.closed().await;
    assert_eq!((&before[0]["ref"], &before[0]["data"]["code"]), (&json!(1), &json!("TIMEOUT")));
    assert_eq!(closed.code, Some(1011));
    let mut ada = connect(&server, "ada").await;
    assert_eq!(ada.ask("hang_safely", json!({ "text": "hang" })).await["data"]["code"], "TIMEOUT");
    assert_eq!(ada.ask("echo", json!({ "text": "x" })).await["data"]["text"], "x", "still open");
}

#[tokio::test]
async fn an_unknown_type_whose_middleware_hangs_ends_at_the_setting_and_stays_open() {
    let mut settings = settings();
    settings.ws_handler_timeout = Duration::from_millis(50);
    let app = AgentCore::new(settings).state(Journal::default()).consumer::<Mirror>().middleware(Fails);
    let server = Server::start(app).await;
    let mut ada = connect(&server, "ada").await;
    assert_eq!(ada.ask("no_such", json!({ "text": "hang" })).await["data"]["code"], "TIMEOUT");
    assert_eq!(ada.ask("echo", json!({ "text": "x" })).await["data"]["text"], "x");
}

#[tokio::test]
async fn a_handler_that_a_middleware_cancels_ends_its_connection() {
    let (server, _) = serve(Fails).await;
    let mut ada = connect(&server, "ada").await;
    assert_eq!(ada.ask("hang_safely", json!({ "text": "hasty" })).await["data"], Value::Null, "cancel safe");
    ada.text(&json!({ "type": "hang", "data": { "text": "hasty" }, "ref": 2 }).to_string()).await;
    let (before, closed) = ada.closed().await;
    assert_eq!((&before[0]["ref"], &before[0]["data"]["code"]), (&json!(2), &json!("INTERNAL_ERROR")));
    assert_eq!(closed.code, Some(1011));
}

/// Waits for the test.
struct Waits(tokio::sync::Semaphore);

impl Middleware for Waits {
    async fn handle<N: Next>(&self, message: Incoming<'_>, next: N) -> Result<Reply> {
        let Ok(_permit) = self.0.acquire().await else { return Ok(Reply::default()) };
        next.run(message).await
    }
}

#[tokio::test]
async fn pings_are_answered_while_a_middleware_waits_and_messages_keep_their_order() {
    let waits = std::sync::Arc::new(Waits(tokio::sync::Semaphore::new(0)));
    let journal = Journal::default();
    let server = Server::start(app(journal.clone()).middleware(waits.clone())).await;
    let mut ada = connect(&server, "ada").await;
    ada.say("echo", json!({ "text": "1" })).await;
    ada.send(tokio_tungstenite::tungstenite::Message::Ping(b"still here".to_vec().into())).await;
    assert_eq!(ada.pong().await, b"still here");
    for text in ["2", "3"] {
        ada.say("echo", json!({ "text": text })).await;
    }
    assert_eq!(journal.lines(), Vec::<String>::new(), "nothing has passed");
    waits.0.add_permits(1);
    for text in ["1", "2", "3"] {
        assert_eq!(ada.next().await["data"]["text"], text);
    }
}
