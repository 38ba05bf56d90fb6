//! Redis fails over behind one address while the old server lives on: connections that are not cut stay there.

use std::time::Duration;

use tests::proxy::Links;
use tests::redis::Redis;
use tokio::time::sleep;

use crate::application::now;
use crate::cluster::Cluster;
use crate::load::Load;
use crate::record::Time;

/// Starts a server that tells nodes nothing about itself.
fn silent_redis() -> Option<Redis> {
    let redis = Redis::start()?;
    redis.does::<()>(&["ACL", "SETUSER", "default", "-info"]);
    Some(redis)
}

/// A failover: the address leads to another server.
struct Failover {
    cluster: Cluster,
    /// The old server, which lives on.
    old: Redis,
    began: Time,
}

impl Failover {
    /// Leads the addresses of all nodes to a new server, and cuts these connections of each node.
    async fn that_cuts(cut: &[Links], start: fn() -> Option<Redis>) -> Option<Self> {
        let mut cluster = Cluster::talking_over(start()?, Load::some()).await;
        let new = start()?;
        for node in &cluster.nodes {
            node.proxy.lead_to(new.port());
        }
        let began = now();
        for (node, links) in cluster.nodes.iter().zip(cut) {
            node.proxy.cut(*links);
        }
        let old = std::mem::replace(&mut cluster.redis, new);
        Some(Self { cluster, old, began })
    }

    /// Waits until everybody hears everybody at the new server; what was lost since `healed` was told in time.
    async fn ends_well(mut self, healed: Time) {
        let verdict = self.cluster.ends_well(healed).await;
        assert!(verdict.missed > 0, "the fault was felt");
        assert_eq!(self.old.channels(), Vec::<String>::new(), "nobody hears the old server");
    }
}

/// Cuts these connections of each node in a failover, and waits until everybody knows what was lost.
async fn loses_nothing_silently(cut: [Links; 2], start: fn() -> Option<Redis>) {
    let Some(failover) = Failover::that_cuts(&cut, start).await else { return };
    let began = failover.began;
    failover.ends_well(began).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_that_cuts_only_the_command_connections_loses_nothing_silently() {
    loses_nothing_silently([Links::Commands, Links::Commands], Redis::start).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_that_cuts_only_the_subscriber_connections_loses_nothing_silently() {
    loses_nothing_silently([Links::Subscriptions, Links::Subscriptions], Redis::start).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_that_cuts_another_connection_of_each_node_loses_nothing_silently() {
    loses_nothing_silently([Links::Commands, Links::Subscriptions], Redis::start).await;
}

/// The other node learns of the failover when its peer has vanished from the old server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_connections_survive_a_failover_follows_the_others() {
    let Some(failover) = Failover::that_cuts(&[Links::Commands], Redis::start).await else { return };
    failover.cluster.hears_all_since(failover.began).await;
    failover.ends_well(now()).await;
}

/// What a node publishes before its connections are cut is lost for the nodes that have moved before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_follows_a_failover_later_signals_what_the_others_have_missed() {
    let Some(failover) = Failover::that_cuts(&[Links::All], Redis::start).await else { return };
    sleep(Duration::from_secs(2)).await;
    failover.cluster.nodes[1].proxy.cut(Links::All);
    failover.ends_well(now()).await;
}

/// Nodes have no run ids to compare; each finds out whether it hears what it publishes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_between_servers_that_tell_nothing_about_themselves_loses_nothing_silently() {
    loses_nothing_silently([Links::Commands, Links::Subscriptions], silent_redis).await;
}
