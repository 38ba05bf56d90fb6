//! A node dies without a goodbye, or freezes and is declared dead.

use std::sync::Arc;
use std::time::Duration;

use tests::wait::{until, until_equal};

use crate::application::now;
use crate::cluster::{Cluster, LEASE};
use crate::load::Load;
use crate::member::Member;
use crate::process::Process;

/// Clients of the process.
const THERE: usize = 16;
const ROOM: &str = "room";

struct Scene {
    cluster: Cluster,
    process: Process,
    /// The clients of the process, present in a group.
    there: Vec<Arc<Member>>,
    /// One client of each other node, present there too.
    watchers: Vec<Arc<Member>>,
}

/// Two nodes, and a third in a process of its own.
async fn scene(load: Load) -> Option<Scene> {
    let mut cluster = Cluster::sparing(2, load, THERE).await?;
    let process = Process::of(&cluster, 2);
    let watchers = cluster.members[..2].to_vec();
    for watcher in &watchers {
        watcher.enter(ROOM).await;
    }
    let mut there = Vec::new();
    for number in 0..THERE {
        let member = Arc::new(process.connect(&format!("p{number}")).await.expect("it is let in"));
        member.join(&load.group_of(number)).await;
        member.enter(ROOM).await;
        cluster.add(member.clone());
        there.push(member);
    }
    cluster.talk();
    cluster.hears_all_since(now()).await;
    Some(Scene { cluster, process, there, watchers })
}

impl Scene {
    /// Waits until no node counts the process any more and the other clients are notified.
    async fn is_gone(&self, since: u64) {
        let rest = self.cluster.members.iter().filter(|member| member.seen.node != 2).count();
        for node in &self.cluster.nodes {
            let ask = async || node.inside.manager.online_count().await.expect("a count");
            until_equal("its users are gone", rest, ask).await;
        }
        until("all others are told", async || self.cluster.resyncs(Some("peer")) >= rest).await;
        let took = Duration::from_micros(now() - since);
        assert!(took < LEASE + Duration::from_secs(5), "ghosts were there for {took:?}");
        crate::say(&format!("a node's end was known after {took:?}"));
    }

    /// Returns how often a watcher saw each client of the process join and leave.
    fn passed(&self, came: bool) -> Vec<usize> {
        let mut counts = Vec::new();
        for watcher in &self.watchers {
            let log = watcher.seen.log();
            for member in &self.there {
                let name = &member.seen.name;
                counts.push(log.presences.iter().filter(|(is, user, _)| *is == came && user == name).count());
            }
        }
        counts
    }

    /// The other clients were notified of the process once, and of nothing else.
    fn others_were_told_once(&self) {
        for seen in self.cluster.records.iter().filter(|seen| seen.node != 2) {
            let log = seen.log();
            let reasons: Vec<_> = log.resyncs.iter().map(|resync| resync.reason.as_str()).collect();
            assert_eq!(reasons, ["peer"], "{}", seen.name);
            let others = log.presences.iter().filter(|(came, user, _)| !came && !user.starts_with('p')).count();
            assert_eq!(others, 0, "nobody else has left");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_node_leaves_no_ghosts_and_the_others_are_notified_once() {
    let Some(mut scene) = scene(Load::some()).await else { return };
    for member in &scene.there {
        member.seen.log().may_end = true;
    }
    let killed = now();
    scene.process.signal("KILL");
    scene.process.ended().await;
    scene.is_gone(killed).await;
    let healed = now();
    until("presence has ended", async || scene.passed(false).iter().all(|count| *count >= 1)).await;
    scene.cluster.ends_well(healed).await;
    assert_eq!(scene.passed(false), [1; THERE * 2], "each has gone once");
    assert_eq!(scene.passed(true), [1; THERE * 2], "each has come once");
    scene.others_were_told_once();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_frozen_for_longer_than_its_lease_returns_and_changes_nothing_of_the_others() {
    let Some(mut scene) = scene(Load::some()).await else { return };
    for member in &scene.there {
        // The node was frozen when the others asked for its messages.
        member.seen.log().may_stall = true;
    }
    let frozen = now();
    scene.process.signal("STOP");
    scene.is_gone(frozen).await;
    scene.process.signal("CONT");
    let healed = now();
    until("all are present again", async || scene.passed(true).iter().all(|count| *count >= 2)).await;
    scene.cluster.hears_all_since(healed).await;
    let verdict = scene.cluster.verdict(healed).await;
    scene.cluster.counts_are_true().await;
    verdict.must_be_clean();
    scene.cluster.limit_is_exact().await;
    scene.others_were_told_once();
    assert_eq!(scene.passed(false), [1; THERE * 2], "each has gone once");
    for member in &scene.there {
        member.seen.log().may_end = true;
    }
    scene.process.signal("TERM");
    assert!(scene.process.ended().await.success());
    scene.cluster.stops_without_a_trace().await;
}
