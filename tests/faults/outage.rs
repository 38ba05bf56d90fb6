//! Redis itself is unreachable: restarted, frozen, or away for a long time.

use std::time::Duration;

use tokio::time::sleep;

use crate::application::now;
use crate::cluster::{Cluster, LEASE, SPARE};
use crate::load::Load;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_comes_back_empty_is_filled_again() {
    let Some(mut cluster) = Cluster::talking(Load::full()).await else { return };
    cluster.churn();
    cluster.redis.kill();
    sleep(Duration::from_secs(1)).await;
    cluster.redis.revive();
    let verdict = cluster.ends_well(now()).await;
    assert!(verdict.missed > 0, "the fault was felt");
    assert_eq!(cluster.resyncs(Some("peer")), 0, "no node has died");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_hangs_is_noticed_and_found_again() {
    let Some(mut cluster) = Cluster::talking(Load::some()).await else { return };
    cluster.churn();
    cluster.redis.freeze();
    sleep(Duration::from_millis(3_500)).await;
    cluster.redis.thaw();
    let verdict = cluster.ends_well(now()).await;
    assert!(verdict.missed > 0, "the fault was felt");
    assert_eq!(cluster.resyncs(Some("peer")), 0, "no node has died");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_away_for_three_leases_no_node_is_declared_dead_and_limits_hold() {
    let Some(mut cluster) = Cluster::talking(Load::some()).await else { return };
    // Each node learns the number of free connections when it renews its lease.
    cluster.counts_are_true().await;
    cluster.leases_are_renewed().await;
    cluster.redis.freeze();
    let mut late = Vec::new();
    sleep(LEASE).await;
    for number in 0..SPARE * 2 {
        // Each node has its share of the free connections.
        if let Ok(member) = cluster.connect(number % 2, &format!("guest{number}")).await {
            member.join("g0").await;
            late.push(member);
        }
    }
    assert!((1..=SPARE).contains(&late.len()), "{} of {SPARE} places were taken", late.len());
    sleep(LEASE * 2).await;
    cluster.redis.thaw();
    let healed = now();
    for member in late {
        cluster.add(member.into());
    }
    cluster.ends_well(healed).await;
    assert_eq!(cluster.resyncs(Some("peer")), 0, "no node has died");
}
