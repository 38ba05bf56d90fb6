//! Rate limits: which messages are refused, when one may pass again, and what each costs.

use std::time::Duration;

use agentcore::middleware::{Chain, RateLimit};
use agentcore::prelude::*;
use serde_json::{Value, json};
use tests::client::Client;
use tests::room::Journal;
use tests::wait::until;

use crate::{app, connect, serve};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

async fn passes(client: &mut Client, kind: &str) -> bool {
    let answer = client.ask(kind, json!({ "text": "x" })).await;
    match answer["data"]["code"].as_str() {
        None => true,
        Some("RATE_LIMIT_EXCEEDED") => false,
        Some(_) => panic!("{answer}"),
    }
}

/// Returns how many of `count` messages pass.
async fn passing(client: &mut Client, kind: &str, count: usize) -> usize {
    let mut passed = 0;
    for _ in 0..count {
        passed += usize::from(passes(client, kind).await);
    }
    passed
}

#[tokio::test]
async fn the_fourth_of_three_messages_a_minute_is_refused_with_a_hint_and_the_connection_stays_open() {
    let (server, journal) = serve(Chain::new() >> RateLimit::per_user(3, MINUTE)).await;
    let mut ada = connect(&server, "ada").await;
    assert_eq!(passing(&mut ada, "echo", 3).await, 3);
    let refused = ada.ask("echo", json!({ "text": "x" })).await;
    let data = &refused["data"];
    assert_eq!((&data["code"], &data["category"]), (&json!("RATE_LIMIT_EXCEEDED"), &json!("rate_limit")));
    assert_eq!((&data["retryable"], &data["severity"]), (&json!(true), &json!("low")));
    assert_eq!(data["message_type"], "echo");
    let hint = data["retry_after_ms"].as_u64().expect("a hint");
    assert!((1..=60_000).contains(&hint), "{hint}");
    assert_eq!(ada.settle().await, Vec::<Value>::new(), "open, and pings are not limited");
    assert_eq!(journal.lines().len(), 3, "what was refused reached no handler");
}

#[tokio::test]
async fn a_retry_after_the_hint_passes() {
    for limit in [
        RateLimit::per_user(3, Duration::from_millis(400)),
        RateLimit::per_connection(3, Duration::from_millis(400)).and(4, Duration::from_millis(900)),
        RateLimit::per_user(3, Duration::from_millis(400)).gcra(),
    ] {
        let (server, _) = serve(limit).await;
        let mut ada = connect(&server, "ada").await;
        for _ in 0..4 {
            // However slow the machine is, one arrives too early eventually.
            let mut hint = None;
            until("a refusal", async || {
                let answer = ada.ask("echo", json!({ "text": "x" })).await;
                hint = answer["data"]["retry_after_ms"].as_u64();
                hint.is_some()
            })
            .await;
            tokio::time::sleep(Duration::from_millis(hint.expect("a hint"))).await;
            assert!(passes(&mut ada, "echo").await, "the hint of {hint:?} ms is true");
        }
    }
}

#[tokio::test]
async fn reconnecting_resets_a_limit_per_connection_but_not_per_user() {
    let (server, _) = serve(RateLimit::per_user(3, HOUR)).await;
    let mut ada = connect(&server, "ada").await;
    let mut also_ada = connect(&server, "ada").await;
    assert_eq!(passing(&mut ada, "echo", 2).await + passing(&mut also_ada, "echo", 2).await, 3, "all of a user's");
    ada.close(1000).await;
    also_ada.close(1000).await;
    let mut again = connect(&server, "ada").await;
    assert_eq!(passing(&mut again, "echo", 3).await, 0);
    assert_eq!(passing(&mut connect(&server, "bob").await, "echo", 4).await, 3, "another user");

    let (server, _) = serve(RateLimit::per_connection(3, HOUR)).await;
    for _ in 0..2 {
        let mut ada = connect(&server, "ada").await;
        assert_eq!(passing(&mut ada, "echo", 4).await, 3);
        ada.close(1000).await;
    }
}

#[tokio::test]
async fn an_address_is_limited_over_all_its_users() {
    let (server, _) = serve(RateLimit::per_ip(5, HOUR)).await;
    let (mut ada, mut bob) = (connect(&server, "ada").await, connect(&server, "bob").await);
    assert_eq!(passing(&mut ada, "echo", 4).await + passing(&mut bob, "echo", 4).await, 5);
}

#[tokio::test]
async fn a_key_of_the_application_counts_together_and_without_one_a_message_passes() {
    let limit = RateLimit::per(2, HOUR, |message| {
        (message.message_type() == "quiet").then(|| message.user_id().as_str().chars().take(1).collect())
    });
    let (server, _) = serve(limit).await;
    let (mut ada, mut amy) = (connect(&server, "ada").await, connect(&server, "amy").await);
    assert_eq!(passing(&mut ada, "quiet", 2).await + passing(&mut amy, "quiet", 2).await, 2);
    assert_eq!(passing(&mut connect(&server, "bob").await, "quiet", 3).await, 2);
    assert_eq!(passing(&mut ada, "echo", 10).await, 10);
}

#[tokio::test]
async fn exempt_messages_pass_up_to_a_ceiling_of_their_own() {
    for (limit, ceiling) in [(RateLimit::per_user(3, HOUR), 30), (RateLimit::per_user(3, HOUR).ceiling(2), 6)] {
        let (server, _) = serve(limit).await;
        let mut ada = connect(&server, "ada").await;
        assert_eq!(passing(&mut ada, "typing", ceiling + 3).await, ceiling);
        assert_eq!(passing(&mut ada, "echo", 4).await, 3, "counted apart");
    }
}

#[tokio::test]
async fn a_type_with_its_own_limit_is_counted_separately() {
    let (server, _) = serve(RateLimit::per_user(3, HOUR)).await;
    let mut ada = connect(&server, "ada").await;
    assert_eq!(passing(&mut ada, "search", 4).await, 2);
    assert_eq!(passing(&mut ada, "echo", 4).await, 3);
}

#[tokio::test]
async fn a_cost_is_taken_whole_or_not_at_all() {
    let (server, _) = serve(RateLimit::per_user(7, HOUR)).await;
    let mut ada = connect(&server, "ada").await;
    // Two exports at 3 each leave 1, enough for an echo and too little for a third export.
    assert_eq!(passing(&mut ada, "export", 3).await, 2);
    assert_eq!(passing(&mut ada, "echo", 2).await, 1);

    let by_size = RateLimit::per_user(10, HOUR).cost(|message| u32::try_from(message.data().len() / 50).unwrap_or(1));
    let (server, _) = serve(by_size).await;
    let mut ada = connect(&server, "ada").await;
    assert_eq!(passing(&mut ada, "echo", 20).await, 20, "small ones cost nothing, and are exempt");
    let big = json!({ "text": "x".repeat(100), "more": "x".repeat(400) });
    assert_eq!(ada.ask("echo", big.clone()).await["data"]["text"], "x".repeat(100), "that is 10");
    let refused = ada.ask("echo", json!({ "text": "x".repeat(100) })).await;
    assert_eq!(refused["data"]["code"], "RATE_LIMIT_EXCEEDED");
    let never = ada.ask("echo", json!({ "text": "", "more": "x".repeat(1000) })).await;
    assert_eq!(never["data"]["code"], "RATE_LIMIT_EXCEEDED");
    assert_eq!((&never["data"]["retryable"], never["data"].get("retry_after_ms")), (&json!(false), None), "never");
}

#[tokio::test]
async fn the_narrowest_of_several_windows_decides() {
    let (server, _) = serve(RateLimit::per_user(100, HOUR).and(5, MINUTE).and(3, Duration::from_secs(30))).await;
    let mut ada = connect(&server, "ada").await;
    assert_eq!(passing(&mut ada, "echo", 5).await, 3);
    let refused = ada.ask("echo", json!({})).await;
    assert!(refused["data"]["retry_after_ms"].as_u64().is_some_and(|hint| hint <= 30_000), "{refused}");
}

#[tokio::test]
async fn two_limits_in_a_chain_are_counted_separately() {
    let chain = Chain::new() >> RateLimit::per_user(4, HOUR) >> RateLimit::per_user(3, HOUR);
    let (server, _) = serve(chain).await;
    assert_eq!(passing(&mut connect(&server, "ada").await, "echo", 5).await, 3);
}

#[tokio::test]
async fn messages_of_unknown_types_are_limited_like_others() {
    let (server, _) = serve(RateLimit::per_user(3, HOUR)).await;
    let mut ada = connect(&server, "ada").await;
    let mut codes = Vec::new();
    for number in 0..5 {
        let error = ada.ask(&format!("no_such_{number}"), json!({})).await;
        codes.push(error["data"]["code"].as_str().expect("a code").to_owned());
    }
    let (unknown, limited) = ("UNKNOWN_MESSAGE_TYPE", "RATE_LIMIT_EXCEEDED");
    assert_eq!(codes, [unknown, unknown, unknown, limited, limited]);
    assert!(!passes(&mut ada, "echo").await);
}

#[tokio::test]
async fn a_limit_that_makes_no_sense_is_an_error_at_start() {
    for (limit, part) in [
        (RateLimit::per_user(0, MINUTE), "`RateLimit::per_user` allows no messages"),
        (RateLimit::per_ip(5, Duration::ZERO), "an empty window"),
        (RateLimit::per_user(5, MINUTE).and(6, MINUTE), "two limits for the same window"),
        (RateLimit::per_user(5, MINUTE).ceiling(0), "`.ceiling(0)`"),
        (RateLimit::per_user(2, MINUTE), "`export` costs 3 (handler `export` of `Mirror`)"),
    ] {
        let app = app(Journal::default()).middleware(Chain::new() >> limit);
        let error: Error = app.build().await.expect_err("it makes no sense");
        assert!(error.message().contains(part), "{part}: {error}");
    }
}
