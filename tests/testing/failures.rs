//! A failed expectation ends its test, and names the client, the expected and the received messages.

use agentcore::axum::http::Method;
use agentcore::testing::{TestApp, assert_broadcast, expect_broadcast};
use agentcore::{AgentCore, Settings};

use crate::{Entered, Said, Say, Who, You, application, enter, said, say, start, two};

#[tokio::test]
#[should_panic(
    expected = r#"alice: expected `entered`, but `said` {"text":"hi","user_id":"bob"} came; behind it: `said`"#
)]
async fn an_unexpected_message_is_named() {
    let (_app, mut alice, mut bob) = two().await;
    bob.request::<()>(&say("hi")).await;
    bob.request::<()>(&say("hi again")).await;
    alice.settle().await;
    alice.expect::<Entered>().await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "alice: expected `said`, but nothing came within 3600 s")]
async fn nothing_is_not_a_message() {
    let (_app, mut alice, _bob) = two().await;
    alice.expect::<Said>().await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "alice: expected `said`, but only `entered` came within")]
async fn a_missing_message_among_others() {
    let (app, mut alice, _bob) = two().await;
    let mut carol = app.connect("/room/carol").await;
    carol.request::<()>(&enter()).await;
    alice.next_of::<Said>().await;
}

#[tokio::test]
#[should_panic(expected = r#"alice: expected nothing, but `said` {"text":"late","user_id":"bob"} came"#)]
async fn a_late_message_fails_an_expectation_of_silence() {
    let (_app, mut alice, mut bob) = two().await;
    bob.send(&Say { after_ms: 50, ..say("late") }).await;
    alice.expect_nothing().await;
}

#[tokio::test]
#[should_panic(expected = "alice: expected the error FORBIDDEN, but `error`")]
async fn another_error() {
    let (_app, mut alice, _bob) = two().await;
    alice.send(&say("")).await;
    alice.expect_error("FORBIDDEN").await;
}

#[tokio::test]
#[should_panic(expected = "alice: expected a reply to `say`, but VALIDATION_FAILED was answered")]
async fn an_error_is_no_reply() {
    let (_app, mut alice, _bob) = two().await;
    alice.request::<()>(&say("")).await;
}

#[tokio::test]
#[should_panic(expected = "alice: expected `who` to be answered with a `testing::Said`, but missing field `text`")]
async fn another_reply() {
    let (_app, mut alice, _bob) = two().await;
    let _: Said = alice.request(&Who {}).await;
}

#[tokio::test]
#[should_panic(expected = "alice: expected a close with 1008, but it was 1011")]
async fn another_close() {
    let (_app, mut alice, _bob) = two().await;
    alice.send(&crate::BreakDown {}).await;
    alice.expect_error("INTERNAL_ERROR").await;
    alice.expect_close(1008).await;
}

#[tokio::test]
#[should_panic(expected = "alice: expected `said`, but the connection was closed with 1000")]
async fn a_message_of_a_connection_that_has_ended() {
    let (_app, mut alice, _bob) = two().await;
    alice.close(1000).await;
    alice.expect::<Said>().await;
}

#[tokio::test]
#[should_panic(expected = "alice: `say` cannot be sent: the connection was closed with 1000")]
async fn sending_to_a_connection_that_has_ended() {
    let (_app, mut alice, _bob) = two().await;
    alice.close(1000).await;
    alice.send(&say("hello?")).await;
}

#[tokio::test]
#[should_panic(expected = "/room/anon-x: expected to be let in, but was refused: 400 Bad Request")]
async fn a_refusal_is_no_client() {
    start().await.connect("/room/anon-x").await;
}

#[tokio::test]
#[should_panic(expected = "/room/alice: expected a refusal, but the client was let in as alice")]
async fn a_client_is_no_refusal() {
    start().await.connect("/room/alice").refused().await;
}

#[tokio::test]
#[should_panic(
    expected = "the application: it does not start: consumers `testing::Room` and `testing::failures::Same`"
)]
async fn an_application_that_cannot_be_built() {
    TestApp::start(application(Settings::default()).consumer::<Same>()).await;
}

#[agentcore::consumer(path = "/room/{user_id}")]
struct Same {
    #[path]
    #[user]
    user_id: agentcore::UserId,
}

#[agentcore::consumer]
impl Same {
    #[on(connect)]
    async fn greet(&mut self) {
        tracing::trace!(%self.user_id);
    }
}

#[tokio::test]
#[should_panic(
    expected = r#"bob: expected `said` {"text":"hi","user_id":"alice"}, as given, but `said` {"text":"hi","user_id":"bob"} came"#
)]
async fn another_broadcast() {
    let (_app, mut alice, mut bob) = two().await;
    bob.send(&say("hi")).await;
    assert_broadcast([&mut bob, &mut alice], &said("alice", "hi")).await;
}

#[tokio::test]
#[should_panic(expected = "once, but it came again")]
async fn a_broadcast_that_arrives_twice() {
    let (_app, mut alice, mut bob) = two().await;
    bob.request::<()>(&say("hi")).await;
    bob.request::<()>(&say("hi")).await;
    expect_broadcast::<Said>([&mut alice, &mut bob]).await;
}

#[tokio::test]
#[should_panic(expected = "alice: it was stalled and reads nothing")]
async fn a_client_that_reads_nothing_expects_nothing() {
    let (_app, mut alice, _bob) = two().await;
    alice.stall();
    alice.expect_nothing().await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "worker threads have their own clocks")]
async fn workers_under_a_paused_clock() {
    TestApp::start_with_workers(AgentCore::new(Settings::default()), 1).await;
}

#[tokio::test]
#[should_panic(expected = "POST /api/greeting: expected")]
async fn a_body_of_another_form() {
    let _: You = start().await.request(Method::POST, "/api/greeting").await.json();
}
