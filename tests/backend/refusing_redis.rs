//! A Redis that answers and refuses: it cannot write its snapshot, loads its data, is a replica, or wants a password.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use agentcore::GroupName;
use agentcore::backend::{Admission, Backend, RedisBackend};
use agentcore::message::{OutboundMessage, Recipient};
use serde_json::json;
use tests::bare::{Bare, no_limits, said};
use tests::log::Log;
use tests::proxy::{Links, Mode, Proxy};
use tests::redis::{Redis, errors_in, free_port};
use tests::wait::until;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;

use crate::connections_lost;

/// Two nodes, of which one receives what the other publishes.
struct Two {
    speaker: RedisBackend,
    hearer: RedisBackend,
    node: std::sync::Arc<Bare>,
    got: UnboundedReceiver<OutboundMessage>,
    said: usize,
}

impl Two {
    async fn over(speaker: RedisBackend, hearer: RedisBackend) -> Self {
        let ((one, _), (node, got)) = (Bare::new(), Bare::new());
        one.start(&speaker, "speaker", no_limits()).await;
        node.start(&hearer, "hearer", no_limits()).await;
        let group = lobby();
        node.set_members(&group, 1);
        hearer.group_count_changed(&group);
        hearer.subscribe(&group).expect("it waits").await.expect("it is heard");
        Self { speaker, hearer, node, got, said: 0 }
    }

    /// Publishes a message; returns whether it or an earlier one arrived meanwhile.
    fn hears(&mut self) -> bool {
        self.said += 1;
        let data = json!({ "number": self.said });
        drop(self.speaker.publish(&said(Recipient::Group(lobby()), data)));
        self.got.try_recv().is_ok()
    }

    fn resyncs(&self) -> usize {
        self.node.resyncs.load(Ordering::Relaxed)
    }

    async fn stop(self) {
        self.speaker.stop().await;
        self.hearer.stop().await;
    }
}

fn lobby() -> GroupName {
    "lobby".parse().expect("a name")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_cannot_write_its_snapshot_carries_messages_without_a_resync() {
    let folder = std::env::temp_dir().join(format!("agentcore-snapshots-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let options = ["--save", "1 1", "--dir", folder.to_str().expect("a path")];
    let Some(redis) = Redis::with(&options) else { return };
    let mut two = Two::over(redis.backend(), redis.backend()).await;
    std::fs::remove_dir_all(&folder).expect("it was there");
    until("a snapshot fails", async || {
        sleep(Duration::from_millis(50)).await;
        let _ = redis.ask(&["SET", "other:key", "value"]);
        redis.ask(&["PING"]).starts_with("-MISCONF")
    })
    .await;

    // Several pings of each of the four connections, and several renewals of both leases: Redis refuses both.
    let mut heard = 0;
    let (pings, renewals) = (redis.refusals("ping") + 16, redis.refusals("evalsha") + 8);
    until("pings and renewals are refused", async || {
        heard += usize::from(two.hears());
        sleep(Duration::from_millis(20)).await;
        redis.refusals("ping") >= pings && redis.refusals("evalsha") >= renewals
    })
    .await;
    until("all is heard", async || {
        heard += usize::from(two.got.try_recv().is_ok());
        heard == two.said
    })
    .await;
    let admission = Admission::new("ada".parse().expect("a name"), None);
    two.speaker.admit(&admission).await.expect("by its share");
    assert_eq!(two.resyncs(), 0);
    assert_eq!((connections_lost(&two.speaker), connections_lost(&two.hearer)), (0, 0));

    redis.does::<()>(&["CONFIG", "SET", "save", ""]);
    let counted = async || {
        sleep(Duration::from_millis(20)).await;
        two.speaker.group_count(&lobby()).await.expect("a count") == 1
    };
    until("the registry is right again", counted).await;
    until("whoever was let in is known", async || two.hearer.online_count().await.expect("a count") == 1).await;
    assert_eq!(two.resyncs(), 0);
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_loads_its_data_is_awaited_and_everyone_gets_one_resync() {
    let slow = ["--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024"];
    let Some(redis) = Redis::with(&slow) else { return };
    let fill = "for i = 1, 5000 do redis.call('SET', 'other:' .. i, string.rep('x', 100)) end";
    redis.does::<()>(&["EVAL", fill, "0"]);
    redis.does::<()>(&["SAVE"]);
    let mut two = Two::over(redis.backend(), redis.backend()).await;
    redis.kill();
    redis.revive();
    let begun = Instant::now();
    until("it has read its file", async || {
        sleep(Duration::from_millis(20)).await;
        let resyncs = two.resyncs();
        let has_read = redis.ask(&["PING"]) == "+PONG";
        assert!(has_read || resyncs == 0, "nobody hears anything yet");
        has_read
    })
    .await;
    assert!(begun.elapsed() > Duration::from_secs(4), "it has read for {:?} only", begun.elapsed());
    until("the other is heard again", async || {
        sleep(Duration::from_millis(20)).await;
        two.hears()
    })
    .await;
    assert_eq!((connections_lost(&two.speaker), connections_lost(&two.hearer)), (2, 2), "each connection once");
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_has_become_a_replica_is_retried_with_pauses_and_found_again_soon() {
    let Some(redis) = Redis::start() else { return };
    let log = Log::warnings();
    let mut two = Two::over(redis.backend(), redis.backend()).await;
    // Over a connection that is open already, so that the counting adds none.
    let mut counting = redis.connect();
    let mut connections = || {
        let stats: String = redis::cmd("INFO").arg("stats").query(&mut counting).expect("an answer");
        let count = stats.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
        count.expect("a count").parse::<u64>().expect("a number")
    };
    redis.does::<()>(&["REPLICAOF", "127.0.0.1", &free_port().to_string()]);
    let (before, begun) = (connections(), Instant::now());
    // The command link of each node is lost again and again, after pauses of 50, 100, 200, 400, 800 ms and then a second.
    until("links are opened again", async || connections() >= before + 10).await;
    assert!(begun.elapsed() > Duration::from_millis(1_550), "ten connections within {:?}", begun.elapsed());
    redis.does::<()>(&["REPLICAOF", "NO", "ONE"]);
    let healed = Instant::now();
    until("the other is heard again", async || {
        sleep(Duration::from_millis(20)).await;
        two.hears()
    })
    .await;
    assert!(healed.elapsed() < Duration::from_secs(3), "heard after {:?}", healed.elapsed());
    let lines = log.lines_with("ReadOnly");
    assert!(lines.len() < 60, "{} lines", lines.len());
    let lost = log.lines_with("the command connection to Redis is lost; messages reach this node only: Redis refuses");
    assert!(lost.iter().any(|line| line.contains("ReadOnly")), "{lines:?}");
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reason_why_redis_refuses_links_is_logged_once() {
    let Some(redis) = Redis::start() else { return };
    let log = Log::warnings();
    let proxy = Proxy::to(redis.port());
    let two = Two::over(redis.backend_at(&proxy.url()), redis.backend()).await;
    proxy.set(Links::All, Mode::Refuse);
    // A connection that is open already needs no password.
    let mut counting = redis.connect();
    redis.does::<()>(&["CONFIG", "SET", "requirepass", "secret"]);
    until("both connections are lost", async || connections_lost(&two.speaker) >= 2).await;
    proxy.set(Links::All, Mode::Pass);
    let told = |what: &str| log.lines_with(what).iter().filter(|line| line.contains("NOAUTH")).count();
    let causes = ["Redis cannot be reached: ", "messages of other nodes cannot be received: "];
    for what in causes {
        until(what, async || told(what) > 0).await;
    }
    let mut refused = || {
        let stats: String = redis::cmd("INFO").arg("errorstats").query(&mut counting).expect("an answer");
        errors_in(&stats, "NOAUTH")
    };
    let before = refused();
    until("both links are refused several times more", async || refused() >= before + 10).await;
    for what in causes {
        assert_eq!(told(what), 1, "{what}");
    }
    let lost = log.lines_with("the subscriber connection to Redis is lost: Redis");
    assert!(!lost.is_empty(), "it says why");
    drop(two);
}
