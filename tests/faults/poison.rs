//! Payloads that no node sends, on the channels between nodes.

use std::sync::Arc;

use tests::wait::until;

use crate::application::now;
use crate::cluster::Cluster;
use crate::load::Load;
use crate::record::Seen;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unreadable_bytes_cause_a_resync_and_no_harm() {
    let Some(mut cluster) = Cluster::talking(Load::some()).await else { return };
    let head = [&[1, 0][..], &[7; 8], &[0; 7], &[1], &[0; 8], &[0]].concat();
    let poison: [(&str, Vec<u8>); 7] = [
        ("raw bytes", b"\xff\xfe\xff".to_vec()),
        ("nothing", Vec::new()),
        ("an unknown version", b"\x02\x00rest".to_vec()),
        ("an unknown kind", [&[1, 9][..], &[0; 8]].concat()),
        ("half a head", head[..13].to_vec()),
        ("half a record", [&head[..], &[0, 0, 0, 99, 0, b'{']].concat()),
        ("much of nothing", vec![0xff; 8 << 20]),
    ];
    let mut healed = now();
    for (what, bytes) in &poison {
        let before = cluster.resyncs(Some("backend"));
        let reached: usize = publish(&cluster, b"ws:group:g1", bytes);
        assert_eq!(reached, 2, "{what}: both nodes hear the group");
        healed = now();
        until(what, async || cluster.resyncs(Some("backend")) > before).await;
    }
    let told = |seen: &Arc<Seen>| seen.log().resyncs.iter().filter(|resync| resync.groups.is_none()).count();
    for (times, channel) in [(1, &b"ws:nodes:"[..]), (2, b"ws:everyone:")] {
        publish(&cluster, channel, b"\x01");
        until("everyone is told", async || cluster.records.iter().all(|seen| told(seen) >= times)).await;
    }
    let verdict = cluster.ends_well(healed).await;
    assert!(verdict.is_complete(), "all that was said came");
    for seen in &cluster.records {
        let log = seen.log();
        let told = log.resyncs.iter().filter(|resync| resync.groups.is_some()).all(|resync| resync.covers("g1"));
        assert!(told, "the others are not concerned: {:?}", log.resyncs);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalid_payloads_of_other_programs_are_dropped_without_a_resync() {
    let Some(mut cluster) = Cluster::talking(Load::some()).await else { return };
    let long = [&br#"{"type":"said","data":""#[..], &vec![b'x'; 16 << 20], br#""}"#].concat();
    let bad: [&[u8]; 6] = [
        b"{",
        b"{}",
        br#"{"type":"reply","data":{}}"#,
        br#"{"type":"agentcore.resync","data":{}}"#,
        b"{\"type\":\"\xff\"}",
        &long,
    ];
    for bytes in bad {
        publish(&cluster, b"ws:group:g1", bytes);
    }
    let verdict = cluster.ends_well(now()).await;
    // The longest one may leave no room for messages of nodes; then a resync follows.
    assert!(
        verdict.missed > 0 || cluster.resyncs(None) == 0,
        "it is not from a node, so no node's messages are missing"
    );
}

/// Publishes payloads that no node would send; returns the number of subscribers.
pub(crate) fn publish(cluster: &Cluster, channel: &[u8], bytes: &[u8]) -> usize {
    let client = redis::Client::open(cluster.redis.url()).expect("a URL");
    let mut connection = client.get_connection().expect("a connection");
    redis::cmd("PUBLISH").arg(channel).arg(bytes).query(&mut connection).expect("an answer")
}
