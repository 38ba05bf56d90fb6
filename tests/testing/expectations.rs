//! What clients send, receive and expect.

use agentcore::testing::TestApp;
use agentcore::{Codec, Settings};
use serde_json::json;

use crate::{BreakDown, Entered, Left, Said, Say, Who, You, application, enter, group, said, say, start, two, user};

#[tokio::test]
async fn a_message_reaches_its_recipients_only() {
    let app = start().await;
    let mut alice = app.connect("/room/alice").await;
    let mut bob = app.connect("/room/bob").await;
    let mut carol = app.connect("/room/carol").await;
    alice.request::<()>(&enter()).await;
    alice.expect_nothing().await;
    bob.request::<()>(&enter()).await;
    assert_eq!(alice.expect::<Entered>().await, Entered { group: group(), user_id: user("bob") });
    bob.send(&say("hello")).await;
    assert_eq!(alice.expect::<Said>().await, said("bob", "hello"));
    assert_eq!(bob.expect::<Said>().await, said("bob", "hello"));
    for client in [&mut alice, &mut bob, &mut carol] {
        client.expect_nothing().await;
    }
}

#[tokio::test]
async fn both_codecs_are_spoken() {
    let app = start().await;
    let mut plain = app.connect("/room/json").codec(Codec::Json).await;
    let mut packed = app.connect("/room/packed").codec(Codec::MessagePack).await;
    assert_eq!((plain.codec(), packed.codec()), (Codec::Json, Codec::MessagePack));
    for client in [&plain, &packed] {
        let welcome = client.welcome().expect("a welcome");
        assert_eq!((&welcome["heartbeat_ms"], &welcome["reconnect"]["delay_ms"]), (&json!(30_000), &json!(5_000)));
    }
    plain.request::<()>(&enter()).await;
    packed.request::<()>(&enter()).await;
    plain.expect::<Entered>().await;
    plain.send(&say("ü")).await;
    for client in [&mut plain, &mut packed] {
        assert_eq!(client.expect::<Said>().await, said("json", "ü"));
        client.expect_nothing().await;
    }
    let you: You = packed.request(&Who {}).await;
    assert_eq!(you.user_id, user("packed"));
}

#[tokio::test]
async fn requests_are_answered_with_a_reply_or_an_error() {
    let app = start().await;
    let mut alice = app.connect("/room/alice").await;
    let you: You = alice.request(&Who {}).await;
    assert_eq!(you.user_id, user("alice"));
    let refused = alice.try_request::<()>(&say("")).await.expect_err("an empty text is refused");
    assert_eq!((&*refused.code, &*refused.details.errors[0].field), ("VALIDATION_FAILED", "text"));
    alice.send(&say("")).await;
    assert_eq!(alice.expect_error("VALIDATION_FAILED").await.message_type.as_deref(), Some("say"));
    alice.send_as("no_such_type", &json!({})).await;
    alice.expect_error("UNKNOWN_MESSAGE_TYPE").await;
    alice.send_text("{").await;
    alice.expect_error("INVALID_JSON").await;
    alice.expect_nothing().await;
}

#[tokio::test]
async fn messages_before_a_reply_are_kept() {
    let app = start().await;
    let mut alice = app.connect("/room/alice").await;
    alice.request::<()>(&enter()).await;
    alice.request::<()>(&say("one")).await;
    alice.request::<()>(&say("two")).await;
    assert_eq!(alice.expect::<Said>().await.text, "one");
    assert_eq!(alice.expect::<Said>().await.text, "two");
    alice.expect_nothing().await;
}

#[tokio::test]
async fn messages_of_one_type_are_found_among_others_which_are_kept() {
    let app = start().await;
    let mut alice = app.connect("/room/alice").await;
    let mut bob = app.connect("/room/bob").await;
    alice.request::<()>(&enter()).await;
    bob.request::<()>(&enter()).await;
    bob.request::<()>(&say("one")).await;
    assert_eq!(alice.next_of::<Said>().await.text, "one");
    assert_eq!(alice.next().await.kind, "entered");
    assert_eq!(alice.try_next(), None);
    alice.ignore("said");
    bob.request::<()>(&say("two")).await;
    alice.expect_nothing().await;
}

/// The reason for the round trips: the handler of another client has not begun to send.
#[tokio::test]
async fn nothing_is_expected_only_after_what_others_have_sent_is_handled() {
    let app = start().await;
    let mut alice = app.connect("/room/alice").await;
    let mut bob = app.connect("/room/bob").await;
    alice.request::<()>(&enter()).await;
    bob.send(&Say { after_ms: 100, ..say("late") }).await;
    app.settle().await;
    assert_eq!(alice.try_next().expect("it has come").decode::<Said>(), Ok(said("bob", "late")));
}

#[tokio::test]
async fn the_end_of_a_connection_is_visible_on_both_sides() {
    let app = start().await;
    let mut alice = app.connect("/room/alice").await;
    let mut bob = app.connect("/room/bob").await;
    alice.send(&BreakDown {}).await;
    let error = alice.expect_error("INTERNAL_ERROR").await;
    let closed = alice.expect_close(1011).await;
    assert_eq!(closed.error_code().as_deref(), Some("INTERNAL_ERROR"));
    assert!(closed.reason.contains(&error.error_id.to_string()));
    assert!(alice.is_closed() && !bob.is_closed());
    assert_eq!(bob.close(4000).await.code, 4000);
    let mut nobody = app.connect("/room/nobody").await;
    nobody.expect_error("FORBIDDEN").await;
    nobody.expect_close(1008).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_dropped_has_lost_its_socket() {
    let (app, mut alice, mut bob) = two().await;
    // Messages that it had sent are still handled.
    bob.send(&say("goodbye")).await;
    drop(bob);
    assert_eq!(alice.expect::<Said>().await.text, "goodbye");
    assert_eq!(alice.expect::<Left>().await.user_id, user("bob"));
    assert!(!app.manager().is_online("bob").await.expect("an answer"));
}

#[tokio::test]
async fn an_application_is_stopped_as_a_server_is() {
    let app = start().await;
    let mut alice = app.connect("/room/alice").await;
    app.stop().await;
    assert_eq!(alice.expect_close(1012).await.error_code().as_deref(), Some("RESTARTING"));
    assert_eq!(app.connect("/room/bob").refused().await.status(), 503);
    assert_eq!(app.get("/ready").await.status(), 503);
}

#[tokio::test]
async fn worker_threads_make_no_difference() {
    let app = TestApp::start_with_workers(application(Settings::default()), 2).await;
    let mut clients = Vec::new();
    for name in 0..8 {
        let mut client = app.connect(format!("/room/u{name}")).await;
        client.ignore("entered");
        client.request::<()>(&enter()).await;
        clients.push(client);
    }
    for round in 0..20 {
        clients[round % 8].send(&Say { after_ms: 1, ..say("hello") }).await;
        app.settle().await;
        for client in &mut clients {
            assert!(client.try_next().is_some(), "settled, and nothing came");
        }
    }
    for client in &mut clients {
        client.expect_nothing().await;
    }
}
