//! A node whose Redis comes back.

use std::io::Write;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use agentcore::GroupName;
use agentcore::backend::{Backend, Publish, Question, RedisBackend};
use agentcore::message::{OutboundMessage, Recipient};
use agentcore::testing::StubRedis;
use tests::bare::{Bare, no_limits, said};
use tests::proxy::{Links, Mode, Proxy};
use tests::redis::Redis;
use tests::wait::{PATIENCE, until};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::connections_lost;

const GROUPS: usize = 50_000;

/// As many groups as one node may have. The time is printed for readers only, as a busy machine takes longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_thousand_groups_are_subscribed_again_when_redis_is_back() {
    let Some(redis) = Redis::start() else { return };
    let (node, mut got) = Bare::new();
    let backend = redis.backend();
    node.start(&backend, "a", no_limits()).await;
    let groups: Vec<GroupName> = (0..GROUPS).map(|number| format!("g{number}").parse().expect("a name")).collect();
    for group in &groups {
        node.set_members(group, 1);
        backend.admit_group().await.expect("a place");
        backend.group_count_changed(group);
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
    until("all were told", async || node.resyncs.load(Ordering::Relaxed) > 0).await;
    backend.stop().await;
    assert!(redis.keys().is_empty(), "{:?}", redis.keys());
}

/// A task that never rests would keep a paused clock from advancing.
#[test]
fn a_node_waits_for_redis_without_busy_looping() {
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
            backend.group_count_changed(&group);
            tokio::time::sleep(Duration::from_secs(60)).await;
        });
        let _ = done.send(());
    });
    waited.recv_timeout(PATIENCE).expect("the clock has moved");
}

/// A node that receives and cannot publish, and another one with a member in a group.
struct Half {
    proxy: Proxy,
    cut_off: RedisBackend,
    hearing: RedisBackend,
    listener: Arc<Bare>,
    got: UnboundedReceiver<OutboundMessage>,
    group: GroupName,
}

impl Half {
    async fn of(redis: &Redis) -> Self {
        let proxy = Proxy::to(redis.port());
        let ((speaker, _), (listener, got)) = (Bare::new(), Bare::new());
        let (cut_off, hearing) = (redis.backend_at(&proxy.url()), redis.backend());
        speaker.start(&cut_off, "a", no_limits()).await;
        listener.start(&hearing, "b", no_limits()).await;
        let group: GroupName = "g0".parse().expect("a name");
        listener.set_members(&group, 1);
        hearing.subscribe(&group).expect("it waits").await.expect("it is heard");
        proxy.set(Links::Commands, Mode::Refuse);
        until("the connection is lost", async || connections_lost(&cut_off) == 1).await;
        Self { proxy, cut_off, hearing, listener, got, group }
    }
}

/// It cannot remember each group that lost messages; receivers get a resync nevertheless.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn losses_in_very_many_groups_are_signalled_together() {
    let Some(redis) = Redis::start() else { return };
    let Half { proxy, cut_off, hearing, listener, mut got, group } = Half::of(&redis).await;
    for number in 0..GROUPS {
        let to = Recipient::Group(format!("g{number}").parse().expect("a name"));
        assert!(matches!(cut_off.publish(&said(to, 0)), Publish::Done(Ok(()))));
    }
    assert_eq!(listener.resyncs.load(Ordering::Relaxed), 0);
    let before = redis.calls("publish");
    proxy.set(Links::Commands, Mode::Pass);
    until("it is told", async || listener.resyncs.load(Ordering::Relaxed) > 0).await;

    // The path is free, and nothing old arrives.
    assert!(matches!(cut_off.publish(&said(Recipient::Group(group), r#""new""#)), Publish::Done(Ok(()))));
    let message = tokio::time::timeout(PATIENCE, got.recv()).await.expect("it comes").expect("a message");
    assert!(message.envelope().ends_with(br#""new"}"#), "{message:?}");
    let published = redis.calls("publish") - before;
    assert!(published < GROUPS as u64 / 2, "{published} payloads");
    cut_off.stop().await;
    hearing.stop().await;
}

/// A message whose sender waits for a confirmation has no sequence number, and its loss is noticed nevertheless.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn confirmed_messages_lost_without_redis_cause_a_resync() {
    let Some(redis) = Redis::start() else { return };
    let Half { proxy, cut_off, hearing, listener, group, .. } = Half::of(&redis).await;
    cut_off.ask(Question::Deliver(said(Recipient::Group(group), 0)), Duration::from_secs(1)).await;
    assert_eq!(listener.resyncs.load(Ordering::Relaxed), 0);
    proxy.set(Links::Commands, Mode::Pass);
    until("it is told", async || listener.resyncs.load(Ordering::Relaxed) > 0).await;
    cut_off.stop().await;
    hearing.stop().await;
}
