//! Clients that read nothing.

use agentcore::Settings;
use agentcore::testing::{TestApp, TestClient};

use crate::{Said, application, enter, say};

/// Connects Alice, who sends, and Bob to one group, with small outboxes.
async fn small() -> (TestApp, TestClient, TestClient) {
    let mut settings = Settings::default();
    settings.ws_max_outbox_bytes = 64 * 1024;
    let app = TestApp::start(application(settings)).await;
    let mut alice = app.connect("/room/alice").await;
    let mut bob = app.connect("/room/bob").await;
    for client in [&mut alice, &mut bob] {
        client.ignore("entered");
        client.request::<()>(&enter()).await;
    }
    (app, alice, bob)
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_disconnected_with_1013_and_the_others_lose_nothing() {
    let (app, mut alice, mut bob) = small().await;
    bob.stall();
    let text = "x".repeat(1_000);
    let mut sent = 0;
    // By the application's own data: the stalled client sees nothing.
    while app.manager().is_online("bob").await.expect("an answer") {
        assert!(sent < 1_000, "an outbox does not hold that much");
        sent += 1;
        alice.request::<()>(&say(&format!("{sent} {text}"))).await;
        assert!(alice.expect::<Said>().await.text.starts_with(&format!("{sent} ")));
    }
    assert!(sent > 64, "the bound of the outbox was met after {sent} messages");
    bob.resume();
    // First what had been written, complete and in order, then the reason for the end.
    let mut seen = 0;
    while !bob.is_closed() {
        let Some(received) = bob.try_next() else {
            tokio::task::yield_now().await;
            continue;
        };
        seen += 1;
        assert!(received.decode::<Said>().expect("a message").text.starts_with(&format!("{seen} ")));
    }
    while bob.try_next().is_some() {
        seen += 1;
    }
    assert_eq!(bob.expect_close(1013).await.error_code().as_deref(), Some("SLOW_CONSUMER"));
    assert!(0 < seen && seen < sent, "{seen} of {sent}");
}

#[tokio::test]
async fn a_client_that_resumes_reading_in_time_misses_nothing() {
    let (_app, mut alice, mut bob) = small().await;
    bob.stall();
    for number in 0..20 {
        alice.request::<()>(&say(&format!("{number} {}", "x".repeat(1_000)))).await;
    }
    assert_eq!(bob.try_next(), None);
    bob.resume();
    for number in 0..20 {
        assert!(bob.expect::<Said>().await.text.starts_with(&format!("{number} ")));
    }
    bob.expect_nothing().await;
}
