//! `Validation`: sizes and depths, each at its limit and above it.

use agentcore::middleware::{Chain, Validation};
use serde_json::{Value, json};
use tests::room::Journal;

use crate::{app, connect, serve};

#[tokio::test]
async fn a_message_too_big_is_refused_and_the_connection_stays() {
    let (server, journal) = serve(Validation::default().max_size(100)).await;
    let mut ada = connect(&server, "ada").await;
    let sized = |size: usize| {
        let empty = r#"{"type":"echo","data":{"text":""}}"#;
        empty.replace("\"\"", &format!("\"{}\"", "x".repeat(size - empty.len())))
    };
    ada.text(&sized(100)).await;
    assert_eq!(ada.next().await["type"], "note");
    ada.text(&sized(101)).await;
    let error = ada.next().await;
    assert_eq!(error["data"]["code"], "VALIDATION_FAILED");
    let detail = &error["data"]["details"]["errors"][0];
    assert_eq!((&detail["field"], &detail["rule"]), (&json!(""), &json!("size")));
    assert_eq!(error["data"]["message"], "a message has at most 100 bytes, this one has 101");
    ada.settle().await;
    assert_eq!(journal.lines().len(), 1);
}

#[tokio::test]
async fn the_data_of_one_type_has_its_own_limit() {
    let (server, _) = serve(Validation::default().max_data("quiet", 20).max_data("echo", 40)).await;
    let mut ada = connect(&server, "ada").await;
    for (kind, length, passes) in [("quiet", 20, true), ("quiet", 21, false), ("echo", 21, true), ("echo", 41, false)] {
        let answer = ada.ask(kind, json!({ "text": "x".repeat(length - 11) })).await;
        assert_eq!(answer["type"] == "reply", passes, "{kind} {length}: {answer}");
    }
}

#[tokio::test]
async fn data_nested_too_deeply_are_refused_before_they_are_decoded() {
    let (server, _) = serve(Chain::new() >> Validation::default().max_depth(3)).await;
    let mut ada = connect(&server, "ada").await;
    for (data, passes) in
        [(json!({ "more": [[1], [2]] }), true), (json!({ "more": [[{}]] }), false), (json!({ "text": "[[[[[[" }), true)]
    {
        let answer = ada.ask("echo", data.clone()).await;
        assert_eq!(answer["type"] == "reply", passes, "{data}: {answer}");
        if !passes {
            assert_eq!(answer["data"]["details"]["errors"][0]["rule"], "depth");
        }
    }
    let (server, _) = serve(Validation::default()).await;
    let mut ada = connect(&server, "ada").await;
    for (levels, passes) in [(31, true), (32, false), (5_000, false)] {
        let deep = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        ada.text(&format!(r#"{{"type":"echo","ref":1,"data":{{"more":{deep}}}}}"#)).await;
        assert_eq!(ada.next().await["type"] == "reply", passes, "{levels}");
    }
}

#[tokio::test]
async fn other_checks_still_hold() {
    let (server, _) = serve(Chain::new()).await;
    let mut ada = connect(&server, "ada").await;
    let rule = ada.ask("echo", json!({ "text": "x".repeat(101) })).await;
    assert_eq!(rule["data"]["details"]["errors"][0]["rule"], "length");
    let deep: Value = serde_json::from_str(&format!("{}{}", "[".repeat(120), "]".repeat(120))).expect("JSON");
    assert_eq!(ada.ask("echo", json!({ "text": deep })).await["data"]["code"], "VALIDATION_FAILED");
}

#[tokio::test]
async fn a_bound_that_makes_no_sense_is_an_error_at_start() {
    for (validation, part) in [
        (Validation::default().max_size(0), "a size limit of 0 bytes"),
        (Validation::default().max_depth(0), "`.max_depth(0)`"),
        (Validation::default().max_data("ecko", 10), "limits the data of `ecko`, which no consumer handles"),
    ] {
        let error = app(Journal::default()).middleware(validation).build().await.expect_err("it makes no sense");
        assert!(error.message().contains(part), "{part}: {error}");
    }
}
