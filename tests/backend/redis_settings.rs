//! The effects of the Redis settings.

use std::time::{Duration, Instant};

use agentcore::Settings;
use agentcore::backend::{Admission, Backend, Presence, PresenceExit, RedisBackend};
use agentcore::message::{Except, OutboundMessage, Overflow, Recipient};
use agentcore::{ConnectionId, GroupName};
use tests::bare::{Bare, no_limits};
use tests::redis::Redis;
use tests::room::room;
use tests::wait::until_equal;

fn read(values: &[(&str, &str)]) -> Settings {
    Settings::from_values(|name| values.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        .expect("all are good")
}

#[tokio::test]
async fn a_node_uses_the_configured_backend() {
    let Some(redis) = Redis::start() else { return };
    for (backend_type, is_redis) in [("memory", false), ("redis", true)] {
        let (app, _, _) = room(read(&[("BACKEND_TYPE", backend_type), ("REDIS_URL", &redis.url()), ("WORKERS", "1")]));
        let app = app.build().await.expect("an application");
        assert_eq!(app.manager().stats().backend_type, backend_type);
        assert_eq!(redis.keys().contains(&"ws:{ws:}:state".to_owned()), is_redis, "{:?}", redis.keys());
    }
}

#[tokio::test]
async fn keys_expire_after_the_configured_times() {
    let Some(redis) = Redis::start() else { return };
    let times = [("REDIS_URL", &*redis.url()), ("REDIS_REGISTRY_EXPIRY", "100"), ("REDIS_GROUP_EXPIRY", "200")];
    let backend = RedisBackend::new(&read(&times)).expect("a backend");
    let (node, _got) = Bare::new();
    node.start(&backend, "a", no_limits()).await;
    for key in redis.keys() {
        let left = redis.does::<u64>(&["TTL", &key]);
        let kind = key.strip_prefix("ws:{ws:}:").and_then(|key| key.split(':').nth(1)).unwrap_or("state");
        let expected = if ["pn", "pc", "due", "gone", "p"].contains(&kind) { 190..=200 } else { 90..=100 };
        assert!(expected.contains(&left), "{key}: {left} s");
    }
    assert_eq!(redis.keys().len(), 10);
    backend.stop().await;
}

/// It dies with its threads and sockets, without a goodbye.
#[tokio::test]
async fn a_node_that_dies_is_counted_until_its_lease_ends() {
    let Some(redis) = Redis::start() else { return };
    let settings = read(&[("REDIS_URL", &redis.url()), ("NODE_LEASE", "5")]);
    let group: GroupName = "g".parse().expect("a name");
    let ((mortal, _), (other, _)) = (Bare::new(), Bare::new());
    mortal.set_members(&group, 1);
    let survivor = RedisBackend::new(&settings).expect("a backend");
    other.start(&survivor, "b", no_limits()).await;

    let life = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let backend = RedisBackend::new(&settings).expect("a backend");
    let (joined, in_group) = (tokio::sync::oneshot::channel(), group.clone());
    let done = joined.0;
    life.spawn(async move {
        mortal.start(&backend, "a", no_limits()).await;
        backend.group_count_changed(&in_group);
        let _ = done.send(());
        std::future::pending::<()>().await;
    });
    joined.1.await.expect("it lives");
    let members = async || survivor.group_count(&group).await.expect("a count");
    until_equal("members", 1, members).await;
    let begun = Instant::now();
    life.shutdown_background();
    until_equal("members", 0, members).await;
    // It had renewed its lease within the last third of it.
    let counted = begun.elapsed();
    assert!(counted > Duration::from_secs(3), "only for {counted:?}");
    survivor.stop().await;
}

/// Returns the line of the page on Redis that lists the rights of its user.
pub(crate) fn access(user: &str) -> Vec<&'static str> {
    let page = include_str!("../../agentcore/src/docs/redis.md");
    let begins = format!("ACL SETUSER {user} ");
    page.lines().find(|line| line.starts_with(&begins)).expect("a line").split(' ').collect()
}

#[tokio::test]
async fn the_documented_rights_of_a_node_are_sufficient() {
    let Some(redis) = Redis::start() else { return };
    redis.does::<()>(&access("chat"));
    let url = format!("redis://chat:password@127.0.0.1:{}/0", redis.port());
    let settings = read(&[("REDIS_URL", &url)]);
    let (one, other) = (RedisBackend::new(&settings).expect("a backend"), RedisBackend::new(&settings).expect("one"));
    let ((sender, _), (hearer, mut got)) = (Bare::new(), Bare::new());
    sender.start(&one, "a", no_limits()).await;
    hearer.start(&other, "b", no_limits()).await;
    let group: GroupName = "g".parse().expect("a name");
    let user: agentcore::UserId = "ada".parse().expect("a name");
    hearer.set_members(&group, 1);
    other.group_count_changed(&group);
    other.admit_group().await.expect("a place");
    if let Some(heard) = other.subscribe(&group) {
        heard.await.expect("it is heard");
    }
    let admission = Admission::new(user.clone(), Some(std::net::Ipv4Addr::LOCALHOST.into()));
    one.admit(&admission).await.expect("a place");
    let connection: ConnectionId = "0000000000000001-0000000000000001".parse().expect("an id");
    let (joined, left) = (r#"{"type":"joined"}"#.into(), r#"{"type":"left"}"#.into());
    one.enter(Presence { group: group.clone(), user: user.clone(), connection, joined, left }).await.expect("done");
    let to = Recipient::Group(group.clone());
    let said = OutboundMessage::from_envelope(to, Except::default(), Overflow::Disconnect, br#"{"type":"said"}"#);
    assert!(matches!(one.publish(&said), agentcore::backend::Publish::Done(Ok(()))));
    one.exit(PresenceExit { group: &group, user: &user, connection, lost: false }).await.expect("done");
    let mut types = Vec::new();
    for _ in 0..3 {
        let message = tests::wait::soon("a message", got.recv()).await.expect("a message");
        types.push(String::from_utf8(message.envelope().to_vec()).expect("UTF-8"));
    }
    types.sort();
    assert_eq!(types, [r#"{"type":"joined"}"#, r#"{"type":"left"}"#, r#"{"type":"said"}"#]);
    assert_eq!(one.present_counts(std::slice::from_ref(&group)).await.expect("counts"), [0]);
    assert!(one.is_online(&user).await.expect("an answer") && other.online_count().await.expect("a count") == 1);
    until_equal("members", 1, async || one.group_count(&group).await.expect("a count")).await;
    one.release(&admission);
    one.stop().await;
    other.stop().await;
    assert!(redis.keys().is_empty(), "{:?}", redis.keys());
    let denied = redis.does::<Vec<redis::Value>>(&["ACL", "LOG"]);
    assert!(denied.iter().all(|entry| format!("{entry:?}").contains("client")), "{denied:?}");
}

#[tokio::test]
async fn the_documented_rights_of_other_programs_reach_no_node_channel() {
    let Some(redis) = Redis::start() else { return };
    redis.does::<()>(&access("news"));
    let client = redis::Client::open(format!("redis://news:password@127.0.0.1:{}/0", redis.port())).expect("a URL");
    let mut link = client.get_connection().expect("a connection");
    for (channel, may) in [("ws:group:g", true), ("ws:users:", true), ("ws:everyone:", true), ("ws:nodes:", false)] {
        let published = redis::cmd("PUBLISH").arg(channel).arg("{}").query::<u64>(&mut link);
        assert_eq!(published.is_ok(), may, "{channel}: {published:?}");
    }
}
