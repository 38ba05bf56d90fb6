//! How nodes learn of each other: starts, ends, and the end of a sequence.

use std::sync::atomic::Ordering;
use std::time::Duration;

use agentcore::backend::{Backend, Presence, Question};
use agentcore::message::{OutboundMessage, Recipient};
use agentcore::testing::StubRedis;
use agentcore::{ConnectionId, GroupName};
use tests::bare::{Bare, no_limits, say};
use tests::proxy::{Links, Mode, Proxy};
use tests::redis::Redis;
use tests::wait::{PATIENCE, soon, until};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{connections_lost, writer_is_idle};

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
    let ((node, _), (other, mut got)) = (Bare::new(), Bare::new());
    node.start(&going, "a", no_limits()).await;
    // The other node does not hear it: a node that has greeted is excused from the next view.
    until("the hello is published", async || redis.calls("publish") > 0).await;
    other.start(&staying, "b", no_limits()).await;
    proxy.set(Links::Subscriptions, Mode::Deaf);
    going.stop().await;
    // A node renews its lease as soon as it has a new command link.
    proxy.cut(Links::Commands);
    until("the command connection is lost", async || {
        drop(staying.online_count().await);
        connections_lost(&staying) == 1
    })
    .await;
    until("its view is without the other node", async || peers(&staying, SOON).await == Some(0)).await;
    proxy.set(Links::Subscriptions, Mode::Pass);
    // The goodbye arrives before it.
    receives(&redis, &mut got).await;
    only_a_dead_node_is_declared_dead(&redis, &staying, &other).await;
    assert_eq!(connections_lost(&staying), 1, "the goodbye was late, not lost");
}

/// It starts while another node renews its lease, whose view of the cluster is then older than the hello.
#[tokio::test]
async fn a_node_that_has_just_started_is_not_declared_dead() {
    let Some(redis) = Redis::start() else { return };
    renew_once(&redis).await;
    let proxy = Proxy::to(redis.port());
    let (coming, staying) = (redis.backend(), redis.backend_at(&proxy.url()));
    let ((node, _), (other, mut got)) = (Bare::new(), Bare::new());
    other.start(&staying, "b", no_limits()).await;
    proxy.set(Links::Commands, Mode::Deaf);
    let before = redis.calls("evalsha");
    until("the lease is renewed", async || redis.calls("evalsha") > before).await;
    let before = redis.calls("publish");
    node.start(&coming, "a", no_limits()).await;
    until("the hello is published", async || redis.calls("publish") > before).await;
    // The hello arrives before it.
    receives(&redis, &mut got).await;
    proxy.set(Links::Commands, Mode::Pass);
    writer_is_idle(&staying).await;
    assert_eq!(connections_lost(&staying), 0, "the view was late, not lost");
    assert_eq!(peers(&staying, PATIENCE).await, Some(1), "the view did not remove the node");
    only_a_dead_node_is_declared_dead(&redis, &staying, &other).await;
}

/// Time for an answer that may not come.
const SOON: Duration = Duration::from_millis(10);

/// Returns the number of other nodes that a node knows, or `None` if one of them does not answer.
async fn peers(backend: &impl Backend, within: Duration) -> Option<usize> {
    let answers = backend.ask(Question::Members(group("g")), within).await;
    answers.complete.then_some(answers.answers.len())
}

/// Publishes a message from outside, and waits until the only node that listens has delivered it.
async fn receives(redis: &Redis, got: &mut UnboundedReceiver<OutboundMessage>) {
    redis.does::<()>(&["PUBLISH", "ws:everyone:", r#"{"type":"marker","data":{}}"#]);
    soon("the marker", got.recv()).await.expect("a message");
}

/// Runs a node until it has renewed its lease, so that Redis knows the script and later renewals are one call each.
async fn renew_once(redis: &Redis) {
    let proxy = Proxy::to(redis.port());
    let (backend, (node, _)) = (redis.backend_at(&proxy.url()), Bare::new());
    node.start(&backend, "first", no_limits()).await;
    proxy.next_script().await;
    backend.stop().await;
}

/// Lets a third node die, and checks that the watching node declares this one dead and no other before.
async fn only_a_dead_node_is_declared_dead(redis: &Redis, watching: &impl Backend, watcher: &Bare) {
    let others = peers(watching, PATIENCE).await.expect("all answer");
    let proxy = Proxy::to(redis.port());
    let (dying, (node, _)) = (redis.backend_at(&proxy.url()), Bare::new());
    node.start(&dying, "c", no_limits()).await;
    until("the node is known", async || peers(watching, SOON).await == Some(others + 1)).await;
    proxy.set(Links::All, Mode::Hang);
    until("a node is declared dead", async || !watcher.told().is_empty()).await;
    // The question would wait for the node if another one had been declared dead, because the lease of this one is longer
    // than the delay of a declaration.
    assert_eq!(peers(watching, PATIENCE / 4).await, Some(others), "it is the node that does not answer");
    assert_eq!(watcher.told(), [None]);
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
