//! Time, under a paused clock.

use std::time::Duration;

use agentcore::Settings;
use agentcore::testing::{TestApp, hold_clock};
use tokio::time::{Instant, advance, sleep};

use crate::{Left, Said, Say, application, enter, say, start, two, user};

#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_handler_passes_instantly_on_a_paused_clock() {
    let app = start().await;
    let mut alice = app.connect("/room/alice").await;
    let begun = Instant::now();
    alice.send(&Say { after_ms: 3_600_000, ..say("never") }).await;
    alice.expect_error("TIMEOUT").await;
    assert_eq!(begun.elapsed().as_secs(), 60);
    alice.expect_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn a_leave_is_announced_after_the_grace_period_and_not_before() {
    let (_app, mut alice, mut bob) = two().await;
    bob.close(1000).await;
    sleep(Duration::from_millis(2_990)).await;
    alice.expect_nothing().await;
    sleep(Duration::from_millis(20)).await;
    assert_eq!(alice.expect::<Left>().await.user_id, user("bob"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_closed_by_the_heartbeat() {
    let mut settings = Settings::default();
    settings.ws_heartbeat_interval = Duration::from_secs(10);
    settings.ws_heartbeat_timeout = Duration::from_secs(20);
    let app = TestApp::start(application(settings)).await;
    let mut alice = app.connect("/room/alice").await;
    let mut bob = app.connect("/room/bob").await;
    bob.stall();
    sleep(Duration::from_secs(60)).await;
    assert!(!app.manager().is_online("bob").await.expect("an answer"));
    assert!(app.manager().is_online("alice").await.expect("an answer"));
    bob.resume();
    bob.expect_close(4408).await;
    alice.expect_nothing().await;
}

/// A thread that tokio does not know answers in real time, however busy the machine is.
#[tokio::test(start_paused = true)]
async fn a_held_clock_waits_for_other_threads() {
    let app = start().await;
    let mut alice = app.connect("/room/alice").await;
    alice.request::<()>(&enter()).await;
    let held = hold_clock();
    let begun = Instant::now();
    alice.send(&Say { after_ms: 1_000, ..say("in a second") }).await;
    let (answer, answered) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        answer.send(())
    });
    answered.await.expect("an answer");
    assert_eq!((begun.elapsed(), alice.try_next()), (Duration::ZERO, None));
    advance(Duration::from_secs(1)).await;
    assert_eq!(alice.expect::<Said>().await.text, "in a second");
    drop(held);
    sleep(Duration::from_secs(3600)).await;
}
