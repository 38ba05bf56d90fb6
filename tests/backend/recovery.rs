//! A node whose Redis comes back.

use std::io::Write;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use agentcore::GroupName;
use agentcore::backend::{Backend, Count};
use agentcore::testing::StubRedis;
use tests::bare::{Bare, no_limits};
use tests::redis::Redis;
use tests::wait::{PATIENCE, until};

const GROUPS: usize = 50_000;

/// As many groups as one node may have. The time is printed: it is for who reads, as a busy machine takes longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_thousand_groups_are_heard_again_when_redis_is_back() {
    let Some(redis) = Redis::start() else { return };
    let (node, mut got) = Bare::new();
    let backend = redis.backend();
    node.start(&backend, "a", no_limits()).await;
    let groups: Vec<GroupName> = (0..GROUPS).map(|number| format!("g{number}").parse().expect("a name")).collect();
    for group in &groups {
        node.set_members(group, 1);
        backend.admit_group().await.expect("a place");
        backend.record(Count::Group(group));
    }
    futures_util::future::join_all(groups.iter().filter_map(|group| backend.subscribe(group))).await;

    redis.kill();
    redis.revive();
    let back = Instant::now();
    let channel = format!("ws:group:g{}", GROUPS - 1);
    let hears = async || {
        redis.does::<u64>(&["PUBLISH", &channel, r#"{"type":"said","data":{}}"#]);
        got.try_recv().is_ok()
    };
    until("the last group is heard", hears).await;
    let heard = back.elapsed();
    let counted = async || backend.group_count(&groups[GROUPS - 1]).await.expect("a count") == 1;
    until("the last group is counted", counted).await;
    let told = format!("{GROUPS} groups: heard again after {heard:?}, counted after {:?}", back.elapsed());
    writeln!(std::io::stderr(), "{told}").expect("a log");
    until("all were told", async || node.resyncs.load(std::sync::atomic::Ordering::Relaxed) > 0).await;
    backend.stop().await;
    assert!(redis.keys().is_empty(), "{:?}", redis.keys());
}

/// A task that never rests would keep a paused clock from moving.
#[test]
fn a_node_waits_for_redis_without_working() {
    let (done, waited) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let redis = StubRedis::new();
            let (backend, (node, _got)) = (redis.backend(), Bare::new());
            node.start(&backend, "a", no_limits()).await;
            redis.set_down(true);
            let group: GroupName = "g".parse().expect("a name");
            node.set_members(&group, 1);
            backend.record(Count::Group(&group));
            tokio::time::sleep(Duration::from_secs(60)).await;
        });
        let _ = done.send(());
    });
    waited.recv_timeout(PATIENCE).expect("the clock has moved");
}
