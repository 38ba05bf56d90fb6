//! A Redis that has no memory: limits hold as well as they can, and a place that is given back is given again.

use std::time::Duration;

use agentcore::GroupName;
use agentcore::backend::{Admission, AdmissionLimits, Backend, Count, RedisBackend};
use tests::bare::{Bare, no_limits};
use tests::redis::Redis;
use tests::wait::{until, until_equal};
use tokio::time::sleep;

const LIMITS: fn() -> AdmissionLimits = || AdmissionLimits { total: 20, ..no_limits() };
/// A node that cannot write tries again about as often.
const AGAIN: Duration = Duration::from_millis(1_100);

fn admission(number: usize) -> Admission {
    Admission::new(format!("u{number}").parse().expect("a name"), None)
}

/// Two nodes, by their backends, and what they are given.
async fn two(redis: &Redis) -> [(RedisBackend, std::sync::Arc<Bare>); 2] {
    let one = (redis.backend(), Bare::new().0);
    let other = (redis.backend(), Bare::new().0);
    one.1.start(&one.0, "one", LIMITS()).await;
    other.1.start(&other.0, "other", LIMITS()).await;
    [one, other]
}

/// How many of `count` are admitted, by both in turn.
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
async fn without_memory_no_more_are_admitted_however_often_they_ask() {
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
async fn places_that_are_given_back_without_memory_are_given_again() {
    let Some(redis) = Redis::start() else { return };
    let nodes = two(&redis).await;
    let group: GroupName = "g".parse().expect("a name");
    let full = admitted(&nodes, 20).await;
    assert_eq!(full.len(), 20);
    // Until both have renewed their leases, and know what the other has.
    sleep(2 * AGAIN).await;
    redis.does::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    for (backend, node) in &nodes {
        // What needs memory is refused.
        node.set_members(&group, 1);
        backend.record(Count::Group(&group));
    }
    sleep(AGAIN).await;
    for round in 0..3 {
        for &number in &full {
            nodes[number % 2].0.release(&admission(number));
        }
        let again = admitted(&nodes, 20).await;
        assert_eq!(again.len(), 20, "round {round}");
        assert_eq!(admitted(&nodes, 10).await, [0; 0], "and not one more");
        sleep(AGAIN).await;
    }
    redis.does::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    let counted = async || nodes[0].0.group_count(&group).await.expect("a count") == 2;
    until("all is written again", counted).await;
    until_equal("users", 20, async || nodes[0].0.online_count().await.expect("a count")).await;
    assert_eq!(admitted(&nodes, 10).await, [0; 0], "it is full");
    for (backend, _) in &nodes {
        backend.stop().await;
    }
    assert!(redis.keys().is_empty(), "{:?}", redis.keys());
}
