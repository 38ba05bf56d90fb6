//! A Redis without free memory: limits hold as well as they can, and a released admission can be granted again.

use std::collections::HashSet;
use std::time::Duration;

use agentcore::backend::{Admission, AdmissionLimits, Backend, Presence, PresenceExit, RedisBackend};
use agentcore::{ConnectionId, GroupName, UserId};
use tests::bare::{Bare, no_limits};
use tests::redis::Redis;
use tests::wait::{PATIENCE, until, until_equal};
use tokio::time::sleep;

const LIMITS: fn() -> AdmissionLimits = || AdmissionLimits { total: 20, ..no_limits() };
/// Approximate interval at which a node that cannot write tries again.
const AGAIN: Duration = Duration::from_millis(1_100);

/// Returns how often Redis has reported that it is out of memory.
fn refusals(redis: &Redis) -> usize {
    let told = redis.does::<String>(&["INFO", "errorstats"]);
    let of_memory = told.lines().find_map(|line| line.strip_prefix("errorstat_OOM:count="));
    of_memory.map_or(0, |count| count.parse().expect("a count"))
}

fn admission(number: usize) -> Admission {
    Admission::new(format!("u{number}").parse().expect("a name"), None)
}

/// Two nodes, by their backends, and their recorders.
async fn two(redis: &Redis) -> [(RedisBackend, std::sync::Arc<Bare>); 2] {
    let one = (redis.backend(), Bare::new().0);
    let other = (redis.backend(), Bare::new().0);
    one.1.start(&one.0, "one", LIMITS()).await;
    other.1.start(&other.0, "other", LIMITS()).await;
    [one, other]
}

/// Returns how many of `count` are admitted, by both in turn.
async fn admitted(nodes: &[(RedisBackend, std::sync::Arc<Bare>); 2], count: usize) -> Vec<usize> {
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
    sleep(AGAIN).await;
    redis.does::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let mut all = 0;
    for _ in 0..6 {
        all += admitted(&nodes, 40).await.len();
        sleep(AGAIN).await;
    }
    assert!(all <= LIMITS().total, "{all} admitted");
    assert!(all > 0, "each node gives its share");
    redis.does::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    until_equal("users", all.min(20), async || nodes[0].0.online_count().await.expect("a count")).await;
    for (backend, _) in &nodes {
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
    // Until both have renewed their leases and know each other's connections.
    sleep(2 * AGAIN).await;
    redis.does::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    for (backend, node) in &nodes {
        // A command that needs memory is refused.
        node.set_members(&group, 1);
        backend.group_count_changed(&group);
    }
    until("both are refused", async || refusals(&redis) >= 2).await;
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
        sleep(AGAIN).await;
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
    for (backend, _) in &nodes {
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
    until("it is refused", async || refusals(&redis) > 0).await;
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
