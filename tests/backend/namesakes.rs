//! Nodes with the same `SERVER_INSTANCE_ID`.

use std::time::Duration;

use agentcore::GroupName;
use agentcore::backend::{Backend, Question};
use tests::bare::{Bare, no_limits};
use tests::log::Log;
use tests::redis::Redis;
use tests::wait::{until, until_equal};
use tokio::time::sleep;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn living_nodes_of_the_same_name_report_each_other_once() {
    let Some(redis) = Redis::start() else { return };
    let log = Log::warnings();
    let (one, other) = (redis.backend(), redis.backend());
    let ((first, _), (second, _)) = (Bare::new(), Bare::new());
    first.start(&one, "twin-that-lives", no_limits()).await;
    second.start(&other, "twin-that-lives", no_limits()).await;
    let reports = || log.lines_with("twin-that-lives").len();
    until_equal("one report of each", 2, async || reports()).await;
    // Each renews its lease twice.
    sleep(Duration::from_secs(4)).await;
    let lines = log.lines_with("twin-that-lives");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().all(|line| line.contains("SERVER_INSTANCE_ID")), "{lines:?}");
    one.stop().await;
    other.stop().await;
}

/// Its lease lasts until it ends by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_earlier_run_of_a_node_that_was_killed_is_not_reported() {
    let Some(redis) = Redis::start() else { return };
    let log = Log::warnings();
    let life = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let (started, backend) = (tokio::sync::oneshot::channel(), redis.backend());
    let done = started.0;
    life.spawn(async move {
        Bare::new().0.start(&backend, "twin-that-died", no_limits()).await;
        let _ = done.send(());
        std::future::pending::<()>().await;
    });
    started.1.await.expect("it lives");
    life.shutdown_background();
    let (backend, (node, _)) = (redis.backend(), Bare::new());
    node.start(&backend, "twin-that-died", no_limits()).await;
    let group: GroupName = "g".parse().expect("a name");
    let is_alone = async || {
        let asked = backend.ask(Question::Members(group.clone()), Duration::from_millis(100)).await;
        asked.complete && node.told() == [None]
    };
    until("the earlier run has vanished", is_alone).await;
    assert_eq!(log.lines_with("twin-that-died"), Vec::<String>::new());
    backend.stop().await;
}
