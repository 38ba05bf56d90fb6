//! Tasks of a connection, and closing from a handler.

use serde_json::json;
use tests::client::Client;
use tests::wait::until_equal;

use crate::{connect, nothing_is_left, start};

#[tokio::test]
async fn a_task_ends_with_its_connection() {
    let (server, journal, _) = start().await;
    for how in ["close", "drop", "panic"] {
        let mut ada = connect(&server, "ada").await;
        ada.say("tick", json!({})).await;
        assert_eq!(ada.next().await["data"]["text"], "tick");
        let before = journal.count("ticker dropped");
        match how {
            "close" => drop(ada.close(1000).await),
            "panic" => {
                ada.say("panic", json!({})).await;
                ada.closed().await;
            }
            _ => drop(ada),
        }
        until_equal(how, before + 1, async || journal.count("ticker dropped")).await;
        nothing_is_left(&server).await;
    }
}

#[tokio::test]
async fn a_task_that_panics_ends_only_itself() {
    let (server, journal, _) = start().await;
    let mut ada = connect(&server, "ada").await;
    ada.say("panicking_task", json!({})).await;
    until_equal("the task", 1, async || journal.count("panicking task dropped")).await;
    assert_eq!(ada.ask("me", json!({})).await["data"]["names"][1], "ada");
}

#[tokio::test]
async fn a_task_that_the_last_hook_spawns_ends_too() {
    let (server, journal, _) = start().await;
    let mut ada = Client::connect(&server, "/room/ada?disconnect=spawn").await;
    ada.settle().await;
    ada.close(1000).await;
    until_equal("the task", 1, async || journal.count("late task dropped")).await;
}

#[tokio::test]
async fn a_handler_closes_its_connection_with_a_code_and_a_reason() {
    let (server, journal, _) = start().await;
    for code in [1000, 3000, 4999] {
        let mut ada = connect(&server, "ada").await;
        ada.say("close", json!({ "text": code })).await;
        let (_, closed) = ada.closed().await;
        assert_eq!((closed.code, closed.reason.as_str()), (Some(code), "as you wish"));
        nothing_is_left(&server).await;
        until_equal("the hook", 1, async || journal.count(&format!("disconnect ada {code}"))).await;
    }
    // 1005 means "no code" and is never sent.
    let mut ada = connect(&server, "ada").await;
    ada.say("close", json!({ "text": 1005 })).await;
    assert_eq!(ada.closed().await.1.code, None);
}
