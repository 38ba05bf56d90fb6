//! A node that cannot process or read what it receives: how long the others wait, and which clients get a resync.

use std::time::Duration;

use agentcore::backend::{Backend, Question};
use agentcore::message::Recipient;
use agentcore::testing::StubRedis;
use tests::bare::{Bare, no_limits, said, say};
use tests::redis::Redis;
use tests::wait::until_equal;
use tokio::time::Instant;

fn group(name: &str) -> Recipient {
    Recipient::Group(name.parse().expect("a name"))
}

fn user(name: &str) -> Recipient {
    Recipient::User(name.parse().expect("a name"))
}

#[tokio::test(start_paused = true)]
async fn a_stuck_worker_does_not_delay_messages_for_the_others() {
    let redis = StubRedis::new();
    let (sender, hearer) = (redis.backend(), redis.backend());
    let ((node, _), (other, mut got)) = (Bare::new(), Bare::new());
    node.start(&sender, "a", no_limits()).await;
    other.start(&hearer, "b", no_limits()).await;
    other.hold("stuck");
    let begun = Instant::now();
    for _ in 0..200 {
        say(&sender, user("stuck"), 0).await;
        say(&sender, user("free"), 0).await;
    }
    for _ in 0..200 {
        got.recv().await.expect("a message");
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(200), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn dropped_messages_cause_one_resync_soon() {
    let redis = StubRedis::new();
    let (sender, hearer) = (redis.backend(), redis.backend());
    let ((node, _), (other, _got)) = (Bare::new(), Bare::new());
    node.start(&sender, "a", no_limits()).await;
    other.start(&hearer, "b", no_limits()).await;
    for name in ["first", "second"] {
        let name = name.parse().expect("a name");
        other.set_members(&name, 1);
        if let Some(heard) = hearer.subscribe(&name) {
            heard.await.expect("it is heard");
        }
        other.hold(name.as_str());
    }
    say(&sender, group("first"), 0).await;
    let (first, second) = (Some(vec!["first".to_owned()]), Some(vec!["second".to_owned()]));
    until_equal("what was lost first", vec![first.clone()], async || other.told()).await;
    for _ in 0..200 {
        say(&sender, group("second"), 0).await;
    }
    // Nothing more arrives.
    until_equal("what was lost then, together", vec![first.clone(), second.clone()], async || other.told()).await;
    other.hold("anybody");
    say(&sender, user("anybody"), 0).await;
    let all = vec![first, second, None];
    until_equal("for whom it was nobody knows, so all", all, async || other.told()).await;
}

/// The callers wait for as long as they want; the node must not keep every question until its worker is free.
#[tokio::test(start_paused = true)]
async fn answers_that_wait_for_a_stuck_worker_are_bounded_in_number_and_time() {
    let redis = StubRedis::new();
    let (sender, hearer) = (redis.backend(), redis.backend());
    let ((node, _), (other, _got)) = (Bare::new(), Bare::new());
    node.start(&sender, "a", no_limits()).await;
    other.start(&hearer, "b", no_limits()).await;
    until_equal("nodes that answer", 1, async || {
        tokio::time::sleep(Duration::from_millis(1)).await;
        sender.ask(Question::Members("g".parse().expect("a name")), Duration::from_secs(1)).await.answers.len()
    })
    .await;
    other.hold("stuck");
    let ask = |_| sender.ask(Question::Deliver(said(user("stuck"), 0)), Duration::from_secs(1));
    let answers = futures_util::future::join_all((0..5_000).map(ask)).await;
    assert!(answers.iter().all(|answers| !answers.complete), "nobody answers");
    assert!((1..=1_024).contains(&other.waiting()), "{} wait", other.waiting());
    assert!(other.told().contains(&None), "those that do not wait are lost");
    let told = other.told().len();
    // Longer than any answer waits.
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(other.waiting(), 0);
    until_equal("a resync for the others", true, async || other.told().len() > told).await;
}

/// The payload may have contained a request to deliver a message.
#[tokio::test]
async fn an_unreadable_control_message_causes_a_resync_for_everyone() {
    let Some(redis) = Redis::start() else { return };
    let (node, _got) = Bare::new();
    let backend = redis.backend();
    node.start(&backend, "a", no_limits()).await;
    assert_eq!(redis.does::<u64>(&["PUBLISH", "ws:nodes:", "\u{1}damaged"]), 1, "it is heard");
    until_equal("it is told", vec![None], async || node.told()).await;
    backend.stop().await;
}
