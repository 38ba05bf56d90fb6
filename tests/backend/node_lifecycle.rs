//! How nodes learn of each other: starts, ends, and the end of a sequence.

use std::sync::atomic::Ordering;
use std::time::Duration;

use agentcore::backend::{Backend, Presence, Question};
use agentcore::message::Recipient;
use agentcore::testing::StubRedis;
use agentcore::{ConnectionId, GroupName};
use tests::bare::{Bare, no_limits, say};
use tests::proxy::{Links, Mode, Proxy};
use tests::redis::Redis;
use tokio::time::{Instant, sleep, sleep_until};

fn group(name: &str) -> GroupName {
    name.parse().expect("a name")
}

#[tokio::test(start_paused = true)]
async fn a_node_that_starts_is_known_at_once() {
    let redis = StubRedis::new();
    let (one, other) = (redis.backend(), redis.backend());
    Bare::new().0.start(&one, "a", no_limits()).await;
    sleep(Duration::from_millis(500)).await;
    Bare::new().0.start(&other, "b", no_limits()).await;
    sleep(Duration::from_millis(10)).await;
    let answers = one.ask(Question::Members(group("g")), Duration::from_secs(1)).await;
    assert!(answers.complete && answers.answers.len() == 1, "{answers:?}");
}

/// It has so much to release that another node reads the cluster meanwhile.
#[tokio::test(start_paused = true)]
async fn a_node_that_stops_is_not_declared_dead() {
    let redis = StubRedis::new();
    let (going, staying) = (redis.backend(), redis.backend());
    let ((node, _), (other, _)) = (Bare::new(), Bare::new());
    let begun = Instant::now();
    other.start(&staying, "b", no_limits()).await;
    node.start(&going, "a", no_limits()).await;
    let connection: ConnectionId = "0000000000000001-0000000000000001".parse().expect("an id");
    futures_util::future::join_all((0..30_000).map(|number| {
        let user = format!("u{number}").parse().expect("a name");
        let (joined, left) = (r#"{"type":"joined"}"#.into(), r#"{"type":"left"}"#.into());
        going.enter(Presence { group: group("g"), user, connection, joined, left })
    }))
    .await;
    // The other node renews its lease every third of 10 s, for the first time after 0.2 s.
    sleep_until(begun + Duration::from_millis(6_830)).await;
    going.stop().await;
    sleep(Duration::from_secs(15)).await;
    assert_eq!(other.resyncs.load(Ordering::Relaxed), 0);
}

/// Its goodbye is still on the way to a node that no longer finds it in the cluster.
#[tokio::test]
async fn a_node_whose_goodbye_is_late_is_not_declared_dead() {
    let Some(redis) = Redis::start() else { return };
    let proxy = Proxy::to(redis.port());
    let (going, staying) = (redis.backend(), redis.backend_at(&proxy.url()));
    let ((node, _), (other, _)) = (Bare::new(), Bare::new());
    let begun = Instant::now();
    other.start(&staying, "b", no_limits()).await;
    node.start(&going, "a", no_limits()).await;
    // The other node renews its lease every third of 5 s, for the first time after 0.2 s.
    sleep_until(begun + Duration::from_millis(1_600)).await;
    proxy.set(Links::Subscriptions, Mode::Deaf);
    going.stop().await;
    sleep_until(begun + Duration::from_millis(2_400)).await;
    proxy.set(Links::Subscriptions, Mode::Pass);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(other.told(), [], "nothing is missing");
}

/// It starts while another node renews its lease, whose view of the cluster is then older than the hello.
#[tokio::test]
async fn a_node_that_has_just_started_is_not_declared_dead() {
    let Some(redis) = Redis::start() else { return };
    let proxy = Proxy::to(redis.port());
    let (coming, staying) = (redis.backend(), redis.backend_at(&proxy.url()));
    let ((node, _), (other, _)) = (Bare::new(), Bare::new());
    let begun = Instant::now();
    other.start(&staying, "b", no_limits()).await;
    // As above.
    sleep_until(begun + Duration::from_millis(1_600)).await;
    proxy.set(Links::Commands, Mode::Deaf);
    sleep_until(begun + Duration::from_millis(2_050)).await;
    node.start(&coming, "a", no_limits()).await;
    sleep_until(begun + Duration::from_millis(2_450)).await;
    proxy.set(Links::Commands, Mode::Pass);
    sleep(Duration::from_millis(200)).await;
    let answers = staying.ask(Question::Members(group("g")), Duration::from_secs(1)).await;
    assert!(answers.complete && answers.answers.len() == 1, "{answers:?}");
    sleep(Duration::from_secs(2)).await;
    assert_eq!(other.told(), [], "nothing is missing");
}

#[tokio::test(start_paused = true)]
async fn the_lost_end_of_a_sequence_is_signalled_however_busy_others_are() {
    let redis = StubRedis::new();
    let (sender, hearer) = (redis.backend(), redis.backend());
    let ((node, _), (other, _)) = (Bare::new(), Bare::new());
    node.start(&sender, "a", no_limits()).await;
    other.start(&hearer, "b", no_limits()).await;
    for name in ["quiet", "busy"] {
        other.set_members(&group(name), 1);
        hearer.group_count_changed(&group(name));
        if let Some(heard) = hearer.subscribe(&group(name)) {
            heard.await.expect("it is heard");
        }
    }
    say(&sender, Recipient::Group(group("quiet")), 0).await;
    sleep(Duration::from_millis(100)).await;
    redis.drop_next_publish();
    say(&sender, Recipient::Group(group("quiet")), 0).await;
    // More often than a round trip takes, so that a message is always waiting.
    for _ in 0..20_000 {
        say(&sender, Recipient::Group(group("busy")), 0).await;
        sleep(Duration::from_micros(200)).await;
    }
    assert_eq!(other.resyncs.load(Ordering::Relaxed), 1);
}
