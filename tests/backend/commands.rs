//! The number of commands that nodes send to Redis, by its own counts.

use std::time::{Duration, Instant};

use agentcore::backend::{Backend, RedisBackend};
use agentcore::message::Recipient;
use agentcore::{GroupName, Settings};
use serde_json::json;
use tests::bare::{Bare, no_limits, say};
use tests::proxy::Proxy;
use tests::redis::Redis;
use tests::wait::until;

use crate::{Nodes, join, post, writer_is_idle};

fn group(number: usize) -> GroupName {
    format!("g{number}").parse().expect("a name")
}

#[tokio::test]
async fn a_message_to_a_group_of_any_size_is_one_publish() {
    let Some(redis) = Redis::start() else { return };
    let nodes = Nodes::of(&redis).await;
    let mut clients = nodes.clients(20).await;
    for client in &mut clients {
        join(client, "g").await;
    }
    let (before, begun) = (redis.calls("publish"), Instant::now());
    for text in 0..10 {
        post(&mut clients[0], json!({ "group": "g", "text": text })).await;
        for client in &mut clients {
            assert_eq!(client.next_of("posted").await["data"]["text"], text);
        }
    }
    // One each, and a watermark for each second in which something was sent.
    let published = redis.calls("publish") - before;
    let time = begun.elapsed();
    assert!((10..=12 + time.as_secs()).contains(&published), "{published} calls within {time:?}");
}

#[tokio::test]
async fn only_the_first_join_of_a_group_on_a_node_subscribes() {
    let Some(redis) = Redis::start() else { return };
    let nodes = Nodes::of(&redis).await;
    let mut clients = nodes.clients(12).await;
    let before = redis.calls("subscribe");
    for client in &mut clients {
        join(client, "g").await;
    }
    // One on each node, also for a member that returns before the group is forgotten.
    assert_eq!(redis.calls("subscribe") - before, 2);
    for client in &mut clients {
        client.ask("leave", json!({ "group": "g" })).await;
    }
    for client in &mut clients {
        join(client, "g").await;
    }
    assert_eq!(redis.calls("subscribe") - before, 2);
}

/// The calls of the manager to a backend when a connection joins a group.
async fn enter(backend: &impl Backend, group: &GroupName, is_first: bool) {
    if is_first {
        backend.admit_group().await.expect("a place");
    }
    backend.group_count_changed(group);
    if let Some(heard) = backend.subscribe(group) {
        heard.await.expect("it is heard");
    }
}

#[tokio::test]
async fn ten_thousand_simultaneous_joins_cost_few_round_trips() {
    let Some(redis) = Redis::start() else { return };
    let (node, _got) = Bare::new();
    let proxy = Proxy::to(redis.port());
    let mut settings = Settings::default();
    settings.redis_url = proxy.url().parse().expect("a URL");
    settings.node_lease = Duration::from_secs(60);
    let backend = RedisBackend::new(&settings).expect("a backend");
    node.start(&backend, "a", no_limits()).await;
    // The node announces itself and renews its lease for the first time. The next renewal comes after 20 s.
    until("the node is announced", async || redis.calls("publish") > 0).await;
    proxy.next_script().await;
    writer_is_idle(&backend).await;
    let groups: Vec<_> = (0..10_000).map(group).collect();
    let counted = async || backend.group_count(&groups[0]).await.expect("a count") == 1;
    assert!(!counted().await, "nobody has joined");

    // All commands except PING, whose number depends on the time that the test takes.
    let calls = || ["evalsha", "eval", "publish", "subscribe", "unsubscribe"].map(|kind| (kind, redis.calls(kind)));
    let sum = |calls: [(&str, u64); 5]| calls.iter().map(|(_, count)| count).sum::<u64>();
    let before = calls();
    groups.iter().for_each(|group| node.set_members(group, 1));
    // Unconstrained, all joins ask before a task of the node runs, on the only thread of the runtime.
    let joins = futures_util::future::join_all(groups.iter().map(|group| enter(&backend, group, true)));
    tokio::task::unconstrained(joins).await;
    // The counts of all groups are written together, after a delay.
    let mut asked = 0;
    until("a group is counted", async || {
        asked += 1;
        counted().await
    })
    .await;
    writer_is_idle(&backend).await;
    let after = calls();
    let joining = sum(after) - sum(before) - asked;
    assert!(joining <= 10, "{joining} calls for 10,000 groups: {before:?}, then {after:?} with {asked} questions");

    let one = group(10_000);
    let before = redis.calls("subscribe");
    node.set_members(&one, 10_000);
    futures_util::future::join_all((0..10_000).map(|number| enter(&backend, &one, number == 0))).await;
    assert_eq!(redis.calls("subscribe") - before, 1, "for one group");
    backend.stop().await;
}

#[tokio::test]
async fn an_idle_node_sends_few_commands_regardless_of_its_groups() {
    let Some(redis) = Redis::start() else { return };
    let (node, _got) = Bare::new();
    let mut settings = Settings::default();
    settings.redis_url = redis.url().parse().expect("a URL");
    let backend = RedisBackend::new(&settings).expect("a backend");
    node.start(&backend, "a", no_limits()).await;
    let groups: Vec<_> = (0..1_000).map(group).collect();
    groups.iter().for_each(|group| node.set_members(group, 1));
    futures_util::future::join_all(groups.iter().map(|group| enter(&backend, group, true))).await;
    // The counts of all groups are written together, after a delay.
    until("a group is counted", async || backend.group_count(&groups[0]).await.expect("a count") == 1).await;
    writer_is_idle(&backend).await;
    // By Redis' own sum, including the commands inside scripts.
    let (before, begun) = (redis.sum_of_calls(), Instant::now());
    tokio::time::sleep(Duration::from_secs(10)).await;
    let (calls, time) = (redis.sum_of_calls() - before, begun.elapsed());
    assert!(calls <= 4 * time.as_secs(), "{calls} calls in {time:?}");
    backend.stop().await;
}

#[tokio::test]
async fn many_messages_share_a_publish_under_load() {
    let Some(redis) = Redis::start() else { return };
    let ((one, _silent), (other, mut got)) = (Bare::new(), Bare::new());
    let (sender, receiver) = (redis.backend(), redis.backend());
    one.start(&sender, "a", no_limits()).await;
    other.start(&receiver, "b", no_limits()).await;
    let groups: Vec<_> = (0..100).map(group).collect();
    for group in &groups {
        other.set_members(group, 1);
        enter(&receiver, group, true).await;
    }
    let before = redis.calls("publish");
    let count = 50_000;
    for number in 0..count {
        let to = Recipient::Group(groups[number % groups.len()].clone());
        say(&sender, to, number).await;
    }
    for _ in 0..count {
        got.recv().await.expect("a message");
    }
    let published = redis.calls("publish") - before;
    assert!(published * 4 <= count as u64, "{published} calls for {count} messages");
    assert_eq!(other.resyncs.load(std::sync::atomic::Ordering::Relaxed), 0);
    sender.stop().await;
    receiver.stop().await;
}

/// The members of this node get a message before Redis answers anything: it does not answer at all.
#[tokio::test]
async fn members_on_the_same_node_do_not_wait_for_redis() {
    let Some(redis) = Redis::start() else { return };
    let nodes = Nodes::of(&redis).await;
    let mut clients = [nodes.connect(0, "u0").await, nodes.connect(2, "u1").await];
    for client in &mut clients {
        join(client, "g").await;
    }
    redis.freeze();
    for text in 0..20 {
        post(&mut clients[0], json!({ "group": "g", "text": text })).await;
        for client in &mut clients {
            assert_eq!(client.next_of("posted").await["data"]["text"], text);
        }
    }
    redis.thaw();
}
