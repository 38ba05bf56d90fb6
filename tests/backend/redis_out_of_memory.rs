//! A Redis without free memory: limits hold as well as they can, and a released admission can be granted again.

use std::collections::HashSet;
use std::sync::Arc;

use agentcore::backend::{Admission, AdmissionLimits, Backend, Presence, PresenceExit, RedisBackend};
use agentcore::{ConnectionId, GroupName, UserId};
use tests::bare::{Bare, no_limits};
use tests::proxy::Proxy;
use tests::redis::Redis;
use tests::wait::{PATIENCE, until, until_equal};

use crate::writer_is_idle;

const LIMITS: fn() -> AdmissionLimits = || AdmissionLimits { total: 20, ..no_limits() };

/// A node: its backend, its recorder, and the proxy between it and Redis.
type Node = (RedisBackend, Arc<Bare>, Proxy);

/// Waits until Redis has refused `count` more writes for want of memory. A node that cannot write tries again after a second.
async fn refuses(redis: &Redis, count: u64) {
    let before = redis.errors("OOM");
    until("writes are refused", async || redis.errors("OOM") >= before + count).await;
}

fn admission(number: usize) -> Admission {
    Admission::new(format!("u{number}").parse().expect("a name"), None)
}

async fn start(redis: &Redis, name: &str) -> Node {
    let (proxy, node) = (Proxy::to(redis.port()), Bare::new().0);
    let backend = redis.backend_at(&proxy.url());
    node.start(&backend, name, LIMITS()).await;
    (backend, node, proxy)
}

async fn two(redis: &Redis) -> [Node; 2] {
    [start(redis, "one").await, start(redis, "other").await]
}

/// Waits until both have renewed their leases and know each other's connections.
async fn know_each_other(nodes: &[Node; 2]) {
    futures_util::future::join_all(nodes.iter().map(|(.., proxy)| proxy.next_script())).await;
    for (backend, ..) in nodes {
        writer_is_idle(backend).await;
    }
}

/// Returns how many of `count` are admitted, by both in turn.
async fn admitted(nodes: &[Node; 2], count: usize) -> Vec<usize> {
    let mut admitted = Vec::new();
    for number in 0..count {
        if nodes[number % 2].0.admit(&admission(number)).await.is_ok() {
            admitted.push(number);
        }
    }
    admitted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_memory_no_more_are_admitted_however_often_they_try() {
    let Some(redis) = Redis::start() else { return };
    let nodes = two(&redis).await;
    know_each_other(&nodes).await;
    redis.does::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let mut all = 0;
    for _ in 0..6 {
        all += admitted(&nodes, 40).await.len();
        // Each node has tried to write what it has admitted.
        refuses(&redis, 2).await;
    }
    assert!(all <= LIMITS().total, "{all} admitted");
    assert!(all > 0, "each node gives its share");
    redis.does::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    until_equal("users", all.min(20), async || nodes[0].0.online_count().await.expect("a count")).await;
    for (backend, ..) in &nodes {
        backend.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admissions_released_without_memory_can_be_granted_again() {
    let Some(redis) = Redis::start() else { return };
    let nodes = two(&redis).await;
    let group: GroupName = "g".parse().expect("a name");
    let full = admitted(&nodes, 20).await;
    assert_eq!(full.len(), 20);
    know_each_other(&nodes).await;
    redis.does::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    for (backend, node, _) in &nodes {
        // A command that needs memory is refused.
        node.set_members(&group, 1);
        backend.group_count_changed(&group);
    }
    until("both are refused", async || redis.errors("OOM") >= 2).await;
    let mut held: HashSet<usize> = full.into_iter().collect();
    for round in 0..3 {
        for number in held.drain() {
            nodes[number % 2].0.release(&admission(number));
        }
        // Each node admits at least its share; it cannot know what the other does not use of its own.
        until(&format!("half of them are given again, round {round}"), async || {
            for number in 0..20 {
                if !held.contains(&number) && nodes[number % 2].0.admit(&admission(number)).await.is_ok() {
                    held.insert(number);
                }
            }
            held.len() >= 10
        })
        .await;
        // Each node has tried to write again.
        refuses(&redis, 2).await;
        for number in 20..40 {
            if nodes[number % 2].0.admit(&admission(number)).await.is_ok() {
                held.insert(number);
            }
        }
        assert!(held.len() <= 20, "{} at once", held.len());
    }
    redis.does::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    let counted = async || nodes[0].0.group_count(&group).await.expect("a count") == 2;
    until("all is written again", counted).await;
    until_equal("users", held.len(), async || nodes[0].0.online_count().await.expect("a count")).await;
    for (backend, ..) in &nodes {
        backend.stop().await;
    }
    assert!(redis.keys().is_empty(), "{:?}", redis.keys());
}

fn connection() -> ConnectionId {
    "0000000000000001-0000000000000001".parse().expect("an id")
}

fn presence(group: &GroupName, user: &UserId) -> Presence {
    let says = |what: &str| format!(r#"{{"type":"said","data":"{user} {what}"}}"#).into();
    Presence {
        group: group.clone(),
        user: user.clone(),
        connection: connection(),
        joined: says("joined"),
        left: says("left"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leave_without_memory_is_recorded_and_announced() {
    let Some(redis) = Redis::start() else { return };
    let (backend, (node, _)) = (redis.backend(), Bare::new());
    let (other, (listener, mut got)) = (redis.backend(), Bare::new());
    node.start(&backend, "one", no_limits()).await;
    listener.start(&other, "other", no_limits()).await;
    let [group, later]: [GroupName; 2] = ["g", "later"].map(|name| name.parse().expect("a name"));
    let [ada, bob]: [UserId; 2] = ["ada", "bob"].map(|name| name.parse().expect("a name"));
    listener.set_members(&group, 1);
    other.subscribe(&group).expect("it waits").await.expect("it is heard");
    node.set_members(&group, 2);
    backend.group_count_changed(&group);
    backend.enter(presence(&group, &ada)).await.expect("an answer");
    let mut hears = async |text: &str| {
        let message = tokio::time::timeout(PATIENCE, got.recv()).await.expect("it comes").expect("a message");
        assert!(message.envelope().ends_with(format!("\"{text}\"}}").as_bytes()), "{text}: {message:?}");
    };
    hears("ada joined").await;
    until_equal("members", 2, async || other.group_count(&group).await.expect("a count")).await;

    redis.does::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    node.set_members(&later, 1);
    backend.group_count_changed(&later);
    backend.enter(presence(&group, &bob)).await.expect("an answer");
    until("it is refused", async || redis.errors("OOM") > 0).await;
    node.set_members(&group, 0);
    backend.group_count_changed(&group);
    let exit = PresenceExit { group: &group, user: &ada, connection: connection(), lost: false };
    backend.exit(exit).await.expect("an answer");
    hears("ada left").await;
    until_equal("members", 0, async || other.group_count(&group).await.expect("a count")).await;
    assert_eq!(other.group_count(&later).await.expect("a count"), 0, "there was no memory for it");

    redis.does::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    hears("bob joined").await;
    until_equal("members", 1, async || other.group_count(&later).await.expect("a count")).await;
    for backend in [backend, other] {
        backend.stop().await;
    }
    assert!(redis.keys().is_empty(), "{:?}", redis.keys());
}
