//! The path between one node and Redis is cut: completely or in one direction, briefly and for long.

use std::time::Duration;

use tests::proxy::{Links, Mode};
use tests::wait::{until, until_equal};
use tokio::time::sleep;

use crate::application::now;
use crate::cluster::{Cluster, LEASE};
use crate::load::Load;
use crate::member::Member;
use crate::oracle::Verdict;

/// Cuts links of the first node for some time, and judges the result.
async fn cut(load: Load, links: Links, mode: Mode, time: Duration) -> Option<(Cluster, Verdict)> {
    let mut cluster = Cluster::talking(load).await?;
    cluster.nodes[0].proxy.set(links, mode);
    sleep(time).await;
    cluster.nodes[0].proxy.set(links, Mode::Pass);
    let verdict = cluster.ends_well(now()).await;
    assert!(verdict.missed > 0, "the fault was felt");
    Some((cluster, verdict))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_off_for_less_than_its_lease_is_not_dead() {
    let time = LEASE / 2;
    let Some((cluster, _)) = cut(Load::full(), Links::All, Mode::Hang, time).await else { return };
    assert_eq!(cluster.resyncs(Some("peer")), 0, "its lease had not ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_off_for_longer_than_its_lease_counts_as_dead_and_returns() {
    let Some(mut cluster) = Cluster::talking(Load::some()).await else { return };
    cluster.nodes[0].proxy.set(Links::All, Mode::Hang);
    let there = cluster.members.iter().filter(|member| member.seen.node == 1).count();
    let manager = cluster.nodes[1].inside.manager.clone();
    until_equal("its users are gone", there, async || manager.online_count().await.expect("a count")).await;
    let told = cluster.resyncs(Some("peer"));
    until("the others are told", async || cluster.resyncs(Some("peer")) >= there).await;
    assert!(told <= there, "each once");
    cluster.nodes[0].proxy.set(Links::All, Mode::Pass);
    let verdict = cluster.ends_well(now()).await;
    assert!(verdict.missed > 0, "the fault was felt");
    assert_eq!(cluster.resyncs(Some("peer")), there, "once, and nobody on the node itself");
}

/// The isolated node counted all free connections as its own; Redis loses its data before both nodes are back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_isolated_node_does_not_admit_all_that_was_free_when_the_other_is_back() {
    let Some(mut cluster) = Cluster::talking(Load::some()).await else { return };
    cluster.nodes[0].proxy.set(Links::All, Mode::Hang);
    let there = cluster.members.iter().filter(|member| member.seen.node == 1).count();
    until("the others are told", async || cluster.resyncs(Some("peer")) >= there).await;
    cluster.redis.kill();
    cluster.nodes[0].proxy.set(Links::All, Mode::Pass);
    cluster.redis.revive();
    let healed = now();
    cluster.counts_are_true().await;
    // The next renewal of each lease sees both nodes.
    cluster.leases_are_renewed().await;
    cluster.limit_is_exact().await;
    cluster.ends_well(healed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_subscriber_link_hangs_notices_it() {
    cut(Load::some(), Links::Subscriptions, Mode::Hang, LEASE / 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_redis_cannot_reach_notices_it() {
    cut(Load::some(), Links::Subscriptions, Mode::Deaf, LEASE / 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_command_link_hangs_signals_its_lost_messages() {
    cut(Load::some(), Links::Commands, Mode::Hang, LEASE / 2).await;
}

/// A node that subscribes to a group has no sequence number yet to compare the next one with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_first_message_of_a_sequence_is_signalled() {
    let Some(mut cluster) = Cluster::talking(Load::some()).await else { return };
    let (one, other) = (cluster.members[0].clone(), cluster.members[1].clone());
    one.join("new").await;
    other.join("new").await;
    let heard_by = |member: &Member| member.seen.log().heard.contains_key(&(one.seen.name.clone(), "new".to_owned()));
    let before = cluster.connections_lost(0).await;
    cluster.nodes[0].proxy.set(Links::Commands, Mode::Hang);
    until("the connection is lost", async || cluster.connections_lost(0).await > before).await;
    assert!(one.say("new", 0).await);
    until("it is heard on its own node", async || heard_by(&one)).await;
    assert!(!heard_by(&other), "it is lost");
    cluster.nodes[0].proxy.set(Links::Commands, Mode::Pass);
    let healed = now();
    until("the next one is heard", async || {
        sleep(Duration::from_millis(100)).await;
        assert!(one.say("new", 0).await);
        heard_by(&other)
    })
    .await;
    let verdict = cluster.verdict(healed).await;
    verdict.must_be_clean();
    assert!(verdict.missed > 0, "the fault was felt");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_command_link_hangs_for_longer_than_its_lease_returns() {
    cut(Load::some(), Links::Commands, Mode::Mute, LEASE * 3 / 2).await;
}
