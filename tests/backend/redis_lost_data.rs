//! A Redis that has lost its data or a part of it.

use agentcore::backend::{Admission, Backend, Presence, PresenceExit};
use agentcore::{ConnectionId, GroupName, UserId};
use tests::bare::{Bare, no_limits};
use tests::client::Client;
use tests::http::get;
use tests::log::Log;
use tests::redis::Redis;
use tests::server::{Server, settings};
use tests::wait::until;

use crate::room;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_starts_after_a_loss_is_ready_when_it_can_admit_connections() {
    let Some(redis) = Redis::start() else { return };
    let log = Log::warnings();
    let (old, (node, _got)) = (redis.backend(), Bare::new());
    node.start(&old, "old", no_limits()).await;
    redis.does::<()>(&["FLUSHALL"]);
    until("the old node has written its state again", async || !redis.keys().is_empty()).await;

    let new = Server::start(room(settings()).0.backend(redis.backend())).await;
    let ready = get(&new, "/ready").await;
    assert_eq!((ready.status, &ready.json()["error"]["code"]), (503, &"BACKEND_UNAVAILABLE".into()), "{ready:?}");
    let reason = "Redis has lost the connection counts";
    assert!(ready.json()["error"]["message"].as_str().is_some_and(|text| text.contains(reason)), "{ready:?}");
    let mut refused = 0;
    while refused < 100 && Client::offer(&new, "/room/ada", &[]).await.is_err() {
        refused += 1;
    }
    let lines = log.lines_with(reason);
    assert!(!lines.is_empty() && lines.len() < refused, "{refused} refused: {lines:?}");
    assert!(lines.iter().all(|line| !line.contains("ERROR")), "{lines:?}");

    until("it is ready", async || get(&new, "/ready").await.status == 200).await;
    let mut client = Client::connect(&new, "/room/ada").await;
    client.settle().await;
    new.stop().await;
    old.stop().await;
}

/// Everything that reads or writes one of the keys.
async fn use_all(backend: &impl Backend, node: &Bare, round: usize) {
    let (group, user): (GroupName, UserId) = ("g".parse().expect("a name"), "ada".parse().expect("a name"));
    let admission = Admission::new(user.clone(), Some(std::net::Ipv4Addr::LOCALHOST.into()));
    let connection: ConnectionId = "0000000000000001-0000000000000001".parse().expect("an id");
    node.set_members(&group, 2 + round % 2);
    backend.group_count_changed(&group);
    if backend.admit(&admission).await.is_ok() {
        backend.release(&admission);
    }
    let (joined, left) = (r#"{"type":"joined"}"#.into(), r#"{"type":"left"}"#.into());
    let presence = Presence { group: group.clone(), user: user.clone(), connection, joined, left };
    backend.enter(presence).await.expect("an answer");
    backend.exit(PresenceExit { group: &group, user: &user, connection, lost: true }).await.expect("an answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_was_replaced_by_another_type_is_removed_and_named() {
    let Some(redis) = Redis::start() else { return };
    let log = Log::warnings();
    let (backend, (node, _got)) = (redis.backend(), Bare::new());
    let (other, (reader, _other_got)) = (redis.backend(), Bare::new());
    node.start(&backend, "one", no_limits()).await;
    reader.start(&other, "other", no_limits()).await;
    let group: GroupName = "g".parse().expect("a name");
    let mut round = 0;
    for kind in ["state", "online", "u", "i", "g", "p", "pn", "pc", "due", "gone"] {
        use_all(&backend, &node, round).await;
        let is_kind = |key: &String| key.ends_with(&format!(":{kind}")) || key.contains(&format!(":{kind}:"));
        let mut replaced = Vec::new();
        until(kind, async || {
            replaced = redis.keys().into_iter().filter(is_kind).collect();
            !replaced.is_empty()
        })
        .await;
        for key in &replaced {
            redis.does::<()>(&["SET", key, "something else"]);
        }
        until(&format!("{kind} is named"), async || {
            round += 1;
            use_all(&backend, &node, round).await;
            replaced.iter().any(|key| log.lines_with("another type").iter().any(|line| line.contains(&**key)))
        })
        .await;
        node.set_members(&group, 7);
        backend.group_count_changed(&group);
        until("all is right again", async || other.group_count(&group).await.expect("a count") == 7).await;
    }
    backend.stop().await;
    other.stop().await;
}
