//! Without a fault, nobody gets a resync, no message is missing, and nothing disappears.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use redis::Commands;
use tests::wait::{until, until_equal};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::application::now;
use crate::cluster::Cluster;
use crate::load::{Load, number};
use crate::process::Process;

/// Clients of a node that starts and stops repeatedly.
const THERE: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_fault_nobody_gets_a_resync() {
    let load = Load::some();
    let Some(mut cluster) = Cluster::sparing(2, load, THERE).await else { return };
    cluster.talk();
    cluster.churn();
    let end = Instant::now() + Duration::from_secs(number("CLUSTER_SECONDS").max(15) as u64);
    let mut round = 0;
    while Instant::now() < end {
        let mut process = Process::of(&cluster, 2 + round);
        let mut there = Vec::new();
        for number in 0..THERE {
            let member = Arc::new(process.connect(&format!("p{round}_{number}")).await.expect("it is let in"));
            member.join(&load.group_of(number)).await;
            cluster.add(member.clone());
            there.push(member);
        }
        cluster.talk();
        cluster.hears_all_since(now()).await;
        sleep(Duration::from_secs(3)).await;
        for member in &there {
            member.seen.log().may_end = true;
        }
        process.signal("TERM");
        assert!(process.ended().await.success(), "it ends well");
        for member in &there {
            until("it is told of the end", async || !member.seen.is_open()).await;
            let end = member.seen.log().end.clone();
            assert!(end.as_ref().is_some_and(|(_, how)| how.starts_with("1012 ")), "{end:?}");
        }
        round += 1;
    }
    let verdict = cluster.ends_well(now()).await;
    assert_eq!(cluster.resyncs(None), 0, "nobody was told of a gap");
    assert!(verdict.is_complete(), "nothing was missing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_starts_takes_nothing_from_another_also_of_the_same_name() {
    let Some(mut cluster) = Cluster::silent(1, Load::some()).await else { return };
    cluster.talk();
    let (count, group) = (cluster.members.len(), "g0");
    let manager = cluster.nodes[0].inside.manager.clone();
    cluster.counts_are_true().await;
    let in_group = manager.group_count(group).await.expect("a count");
    cluster.name = Some(manager.node().clone());
    let over = CancellationToken::new();
    let until_over = over.clone();
    let watching = tokio::spawn(async move {
        while !until_over.is_cancelled() {
            assert_eq!(manager.online_count().await.expect("a count"), count, "users");
            assert_eq!(manager.group_count(group).await.expect("a count"), in_group, "members");
            sleep(Duration::from_millis(10)).await;
        }
    });
    cluster.add_node().await;
    cluster.add_node().await;
    // A lease is renewed three times before it would end. The new nodes have no clients and run no other scripts.
    for _ in 0..3 {
        join_all(cluster.nodes[1..].iter().map(|node| node.proxy.next_script())).await;
    }
    over.cancel();
    watching.await.expect("nothing vanished");
    cluster.ends_well(now()).await;
    assert_eq!(cluster.resyncs(None), 0, "nobody was told of a gap");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_group_without_joins_does_not_expire() {
    let Some(mut cluster) = Cluster::silent(2, Load::some()).await else { return };
    cluster.members[0].enter("room").await;
    cluster.counts_are_true().await;
    let mut connection = cluster.redis.connect();
    // As if nearly an hour had passed.
    let keys = cluster.redis.keys();
    assert!(!keys.is_empty());
    for key in &keys {
        connection.pexpire::<_, ()>(key, 4_000).expect("an answer");
    }
    until("all are renewed", async || {
        keys.iter().all(|key| connection.pttl::<_, i64>(key).expect("an answer") > 50_000)
    })
    .await;
    cluster.counts_are_true().await;
    let present = async || cluster.nodes[1].inside.manager.present_count("room").await.expect("a count");
    until_equal("presence", 1, present).await;
    cluster.ends_well(now()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_after_silence_arrives_complete() {
    let Some(mut cluster) = Cluster::silent(2, Load::some()).await else { return };
    let sender = cluster.members[0].clone();
    for _ in 0..3 {
        // Longer than the delay of a channel's watermark.
        sleep(Duration::from_millis(1_500)).await;
        for _ in 0..1_500 {
            assert!(sender.say(&sender.home(), 0).await);
        }
    }
    let verdict = cluster.ends_well(0).await;
    assert!(verdict.is_complete() && cluster.resyncs(None) == 0, "nothing was lost");
    assert!(verdict.arrived >= 4_500 * 15, "{} arrived", verdict.arrived);
}
