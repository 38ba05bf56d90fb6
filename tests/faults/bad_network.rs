//! A bad path to Redis: links that break in the middle of messages, that are slow, or that have little bandwidth.

use std::time::Duration;

use tests::proxy::{Links, Mode};
use tests::wait::until;
use tokio::time::sleep;

use crate::application::now;
use crate::cluster::Cluster;
use crate::load::Load;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_reset_in_the_middle_of_messages_lose_nothing_silently() {
    let Some(mut cluster) = Cluster::talking(Load::full()).await else { return };
    // In turns, so that each link is cut while the other one works, and both at once.
    for round in 0..12 {
        let links = [Links::Subscriptions, Links::Commands, Links::All][round % 3];
        cluster.nodes[round / 3 % 2].proxy.cut(links);
        sleep(Duration::from_millis(300)).await;
    }
    let verdict = cluster.ends_well(now()).await;
    assert!(verdict.missed > 0, "the fault was felt");
    assert_eq!(cluster.resyncs(Some("peer")), 0, "no node has died");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_refuses_both_nodes_for_a_while_is_found_again() {
    let Some(mut cluster) = Cluster::talking(Load::some()).await else { return };
    cluster.nodes.iter().for_each(|node| node.proxy.set(Links::All, Mode::Refuse));
    sleep(Duration::from_secs(2)).await;
    cluster.nodes.iter().for_each(|node| node.proxy.set(Links::All, Mode::Pass));
    let verdict = cluster.ends_well(now()).await;
    assert!(verdict.missed > 0, "the fault was felt");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_redis_delays_messages_and_loses_none() {
    let Some(mut cluster) = Cluster::talking(Load::some()).await else { return };
    cluster.nodes.iter().for_each(|node| node.proxy.set(Links::All, Mode::Late(Duration::from_millis(200))));
    let slow = now();
    let group = cluster.members[0].clone();
    group.join("elsewhere").await;
    group.leave("elsewhere").await;
    cluster.hears_all_since(slow).await;
    sleep(Duration::from_secs(3)).await;
    cluster.nodes.iter().for_each(|node| node.proxy.set(Links::All, Mode::Pass));
    let verdict = cluster.ends_well(now()).await;
    assert!(verdict.is_complete() && cluster.resyncs(None) == 0, "late is not lost");
    assert!(verdict.local < Duration::from_millis(200), "an own node's messages do not wait for Redis");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_little_bandwidth_loses_nothing_silently() {
    let mut load = Load::some();
    load.padding = 4_000;
    let Some(mut cluster) = Cluster::talking(load).await else { return };
    cluster.nodes[0].proxy.set(Links::All, Mode::Narrow(100_000));
    sleep(Duration::from_secs(4)).await;
    cluster.nodes[0].proxy.set(Links::All, Mode::Pass);
    cluster.ends_well(now()).await;
}

/// As if a connection's packets were retransmitted after the node has given the connection up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_data_from_an_old_link_is_ignored() {
    let Some(mut cluster) = Cluster::talking(Load::some()).await else { return };
    for _ in 0..2 {
        let before = cluster.connections_lost(0).await;
        cluster.nodes[0].proxy.hold(Links::Commands);
        // An unanswered publish ends the link within a second, and a new link takes over.
        until("the connection is lost", async || cluster.connections_lost(0).await > before).await;
        cluster.hears_all_since(now()).await;
        cluster.nodes[0].proxy.release();
        cluster.hears_all_since(now()).await;
    }
    let verdict = cluster.ends_well(now()).await;
    assert!(verdict.missed > 0, "the fault was felt");
}
