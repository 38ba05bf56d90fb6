//! An identity expires: a new token renews it, or the connection is closed.

use tokio::time::Instant;

use crate::*;

async fn with_token(token: &str) -> (Inside, Journal, Client) {
    let (server, journal) = guarded().await;
    let client = connect(&server, &format!("/ws?token={}", token.replace('?', "%3F").replace('&', "%26"))).await;
    (server, journal, client)
}

#[tokio::test(start_paused = true)]
async fn at_its_expiry_the_client_is_notified_and_after_the_grace_closed_with_4401() {
    let (server, _, mut ada) = with_token("ada?lasts=10&grace=5").await;
    let begin = Instant::now();
    assert_eq!(ada.next().await, json!({ "type": "agentcore.auth", "data": { "grace_ms": 5000 } }));
    let told = begin.elapsed();
    assert!((Duration::from_millis(9_000)..=Duration::from_millis(10_100)).contains(&told), "{told:?}");
    let (before, closed) = ada.closed().await;
    assert_eq!((before.len(), &before[0]["data"]["code"]), (1, &json!("UNAUTHENTICATED")));
    assert_eq!((closed.code, &closed.json()["code"]), (Some(4401), &json!("UNAUTHENTICATED")));
    let passed = begin.elapsed() - told;
    assert!((Duration::from_millis(5_000)..=Duration::from_millis(5_100)).contains(&passed), "{passed:?}");
    tests::wait::until("nobody is left", async || server.manager.stats().connections == 0).await;
}

#[tokio::test(start_paused = true)]
async fn the_grace_is_thirty_seconds_by_default_and_may_be_zero() {
    let (_server, _, mut ada) = with_token("ada?lasts=5").await;
    assert_eq!(ada.next().await["data"], json!({ "grace_ms": 30_000 }));
    let (_server, _, mut bob) = with_token("bob?lasts=5&grace=0").await;
    let (before, closed) = bob.closed().await;
    assert_eq!((before.len(), closed.code), (1, Some(4401)), "only the error: {before:?}");
}

#[tokio::test(start_paused = true)]
async fn a_fresh_token_within_the_grace_renews_the_identity() {
    let (_server, journal, mut ada) = with_token("ada?lasts=10&grace=5&role=guest").await;
    for role in ["admin", "owner"] {
        assert_eq!(ada.next().await["type"], "agentcore.auth");
        let token = format!("ada?lasts=10&grace=5&role={role}");
        let reply = ada.ask("agentcore.auth", json!({ "token": token })).await;
        let left = reply["data"]["expires_in_ms"].as_u64().expect("a number");
        assert!((9_000..=10_000).contains(&left), "{reply}");
        assert_eq!(who(&mut ada).await["role"], role);
    }
    // The last one does not expire.
    ada.say("agentcore.auth", json!({ "token": "ada" })).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(who(&mut ada).await["role"], Value::Null);
    assert_eq!(journal.count("refresh ada"), 3);
}

#[tokio::test(start_paused = true)]
async fn a_token_may_arrive_before_the_expiry_and_may_add_one() {
    let (_server, _, mut ada) = with_token("ada").await;
    let reply = ada.ask("agentcore.auth", json!({ "token": "ada" })).await;
    assert_eq!(reply["data"], json!({ "expires_in_ms": null }));
    ada.ask("agentcore.auth", json!({ "token": "ada?lasts=1000&grace=7" })).await;
    tokio::time::sleep(Duration::from_secs(998)).await;
    assert_eq!(ada.settle().await, [] as [Value; 0]);
    ada.ask("agentcore.auth", json!({ "token": "ada?lasts=1000&grace=8" })).await;
    tokio::time::sleep(Duration::from_secs(998)).await;
    assert_eq!(ada.settle().await, [] as [Value; 0], "the first end is not the last");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(ada.settle().await, [json!({ "type": "agentcore.auth", "data": { "grace_ms": 8000 } })]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_or_one_of_another_user_closes_with_4401() {
    for token in ["bad", "bob", "ada?lasted=1", "banned2", "anon-1"] {
        let (_server, _, mut ada) = with_token("ada").await;
        let error = ada.ask("agentcore.auth", json!({ "token": token })).await;
        assert_eq!((&error["type"], &error["data"]["code"]), (&json!("error"), &json!("UNAUTHENTICATED")), "{token}");
        assert_eq!(error["data"]["message_type"], "agentcore.auth");
        assert_eq!(ada.closed().await.1.code, Some(4401), "{token}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_the_authenticator_closes_nobody_before_the_grace_is_over() {
    let (_server, _, mut ada) = with_token("ada?lasts=100&grace=5").await;
    for (token, code) in [("away", "BACKEND_UNAVAILABLE"), ("panic", "INTERNAL_ERROR"), ("hang", "TIMEOUT")] {
        let error = ada.ask("agentcore.auth", json!({ "token": token })).await;
        assert_eq!(error["data"]["code"], code, "{token}");
    }
    assert_eq!(who(&mut ada).await["user"], "ada");
    assert_eq!(ada.ask("agentcore.auth", json!({ "token": "ada" })).await["type"], "reply");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_came_in_time_counts_although_the_authenticator_is_slow() {
    let (_server, _, mut ada) = with_token("ada?lasts=10&grace=2").await;
    assert_eq!(ada.next().await["type"], "agentcore.auth");
    // Three seconds for the decision, two seconds of grace.
    assert_eq!(ada.ask("agentcore.auth", json!({ "token": "slow" })).await["type"], "reply");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(ada.settle().await, [] as [Value; 0]);
}

#[tokio::test(start_paused = true)]
async fn attempts_are_bounded_and_one_at_a_time() {
    let (_server, journal, mut ada) = with_token("ada").await;
    ada.text(r#"{"type":"agentcore.auth","data":{"token":"slow"},"ref":1}"#).await;
    let error = ada.ask("agentcore.auth", json!({ "token": "ada" })).await;
    assert_eq!(
        (&error["data"]["code"], &error["data"]["retry_after_ms"]),
        (&json!("RATE_LIMIT_EXCEEDED"), &json!(1000))
    );
    // Handlers run while a token is verified.
    assert_eq!(who(&mut ada).await["user"], "ada");
    assert_eq!(ada.next().await["ref"], 1);
    for number in 1..10 {
        assert_eq!(ada.ask("agentcore.auth", json!({ "token": "ada" })).await["type"], "reply", "{number}");
    }
    let error = ada.ask("agentcore.auth", json!({ "token": "ada" })).await;
    assert_eq!(error["data"]["code"], "RATE_LIMIT_EXCEEDED");
    assert_eq!(journal.count("refresh ada"), 10);
    let wait = error["data"]["retry_after_ms"].as_u64().expect("a hint");
    tokio::time::sleep(Duration::from_millis(wait)).await;
    assert_eq!(ada.ask("agentcore.auth", json!({ "token": "ada" })).await["type"], "reply");
}

#[tokio::test]
async fn data_without_a_token_are_an_error_that_does_not_repeat_them() {
    let (_server, journal, mut ada) = with_token("ada").await;
    for data in [json!({}), json!({ "token": 7 }), json!({ "token": ["secret"] }), json!("secret"), Value::Null] {
        let error = ada.ask("agentcore.auth", data.clone()).await;
        assert_eq!(error["data"]["code"], "VALIDATION_FAILED", "{data}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    assert_eq!(journal.count("refresh ada"), 0);
}

#[tokio::test]
async fn a_token_refresh_has_a_label_of_its_own_in_the_metrics() {
    let (server, _, mut ada) = with_token("ada").await;
    ada.ask("agentcore.auth", json!({ "token": "ada" })).await;
    let mut raw = Raw::over(server.reach(Some(PEER)));
    let page = raw.answer(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.body;
    let of = |kind: &str| {
        let series = format!(r#",type="{kind}"}} "#);
        let mut lines = page.lines().filter(|line| line.starts_with("agentcore_messages_received_total{"));
        lines.find_map(|line| line.split_once(&series)).map(|(_, value)| value.to_owned())
    };
    assert_eq!((of("agentcore.auth").as_deref(), of("ping").as_deref().unwrap_or("0")), (Some("1"), "0"), "{page}");
}
