//! Redis is out of memory, loses its data, or disconnects a node that reads too slowly.

use tests::wait::until;
use tokio::time::sleep;

use crate::application::now;
use crate::cluster::{Cluster, LEASE};
use crate::load::Load;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_memory_messages_flow_joins_succeed_and_leaves_are_clean() {
    let Some(mut cluster) = Cluster::talking(Load::some()).await else { return };
    cluster.redis.does::<()>(&["CONFIG", "SET", "maxmemory", "100kb"]);
    let full = now();
    let (one, other) = (cluster.members[0].clone(), cluster.members[3].clone());
    one.join("new").await;
    other.join("new").await;
    assert!(one.say("new", 0).await);
    let heard = async || other.seen.log().heard.contains_key(&(one.seen.name.clone(), "new".to_owned()));
    until("a group that began without memory is heard", heard).await;
    one.leave("new").await;
    other.leave("new").await;
    for member in cluster.members.split_off(cluster.members.len() - 10) {
        member.close().await;
    }
    cluster.hears_all_since(full).await;
    // Long enough for leases to be renewed, which must not need memory.
    sleep(LEASE * 3 / 2).await;
    assert_eq!(cluster.resyncs(None), 0, "nothing was lost");
    cluster.redis.does::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    let verdict = cluster.ends_well(now()).await;
    assert!(verdict.is_complete() && cluster.resyncs(None) == 0, "nothing was lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_keys_are_written_again_and_clients_that_may_have_missed_a_leave_get_a_resync() {
    let Some(mut cluster) = Cluster::talking(Load::full()).await else { return };
    for _ in 0..3 {
        cluster.redis.does::<()>(&["FLUSHALL"]);
        sleep(LEASE / 3).await;
    }
    cluster.redis.does::<()>(&["FLUSHALL"]);
    let all = cluster.members.len();
    until("all are told", async || cluster.resyncs(Some("backend")) >= all).await;
    let verdict = cluster.ends_well(now()).await;
    assert!(verdict.is_complete(), "messages do not need keys");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_redis_disconnects_for_slow_reading_get_a_resync() {
    let Some(mut cluster) = Cluster::talking(Load::some()).await else { return };
    cluster.redis.does::<()>(&["CONFIG", "SET", "client-output-buffer-limit", "pubsub 64kb 32kb 1"]);
    let (one, all) = (cluster.members[0].clone(), cluster.members.len());
    for round in 1..=2 {
        // More than the limit in one payload: no reader is fast enough.
        assert!(one.say(&one.home(), 100_000).await);
        until("all are told", async || cluster.resyncs(Some("backend")) >= all * round).await;
    }
    cluster.redis.does::<()>(&["CONFIG", "SET", "client-output-buffer-limit", "pubsub 32mb 8mb 60"]);
    let verdict = cluster.ends_well(now()).await;
    assert!(verdict.missed > 0, "the fault was felt");
}
