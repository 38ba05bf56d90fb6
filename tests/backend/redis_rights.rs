//! A Redis that a node cannot use: the start says so.

use tests::redis::{Redis, free_port};
use tests::room::room;
use tests::server::settings;

use crate::redis_settings::access;

/// Builds an application with these rights in Redis; returns its error as text.
async fn error_with(redis: &Redis, rights: &[&str]) -> Option<String> {
    redis.does::<()>(&[&["ACL", "SETUSER", "chat", "reset"], rights].concat());
    // A script that Redis knows already needs no right to load it.
    redis.does::<()>(&["SCRIPT", "FLUSH"]);
    let url = format!("redis://chat:password@127.0.0.1:{}/0", redis.port());
    error_at(&url).await
}

async fn error_at(url: &str) -> Option<String> {
    let mut settings = settings();
    settings.redis_url = url.parse().expect("a URL");
    let backend = agentcore::backend::RedisBackend::new(&settings).expect("a backend");
    let built = room(settings).0.backend(backend).build().await;
    built.err().map(|error| format!("{error:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_right_that_is_missing_stops_the_start_and_is_named() {
    let Some(redis) = Redis::start() else { return };
    let documented = &access("chat")[3..];
    assert_eq!(error_with(&redis, documented).await, None);
    for right in [
        "publish",
        "subscribe",
        "unsubscribe",
        "evalsha",
        "script|load",
        "time",
        "del",
        "unlink",
        "exists",
        "pexpire",
        "pttl",
        "hset",
        "hget",
        "hgetall",
        "hdel",
        "hincrby",
        "hlen",
        "hscan",
        "zadd",
        "zrem",
        "zrange",
        "rpush",
        "lrange",
        "lset",
        "set",
        "get",
    ] {
        let without = format!("-{right}");
        let error = error_with(&redis, &[documented, &[&*without]].concat()).await.expect(right).to_lowercase();
        assert!(error.contains(right), "{right}: {error}");
    }
    for channels in ["&ws:group:*", "&ws:users:", "&ws:everyone:", "&ws:node*"] {
        let error = error_with(&redis, &[documented, &["resetchannels", channels]].concat()).await.expect(channels);
        assert!(error.contains("channel"), "{channels}: {error}");
    }
    for keys in ["~ws:{ws:}*", "~ws:rate:*"] {
        let error = error_with(&redis, &[documented, &["resetkeys", keys]].concat()).await.expect(keys);
        assert!(error.contains("key"), "{keys}: {error}");
    }
    assert_eq!(error_with(&redis, documented).await, None);
}

#[tokio::test]
async fn a_redis_cluster_is_refused_at_the_start() {
    let port = free_port().to_string();
    let Some(redis) = Redis::with(&["--cluster-enabled", "yes", "--cluster-port", &port]) else { return };
    let error = error_at(&redis.url()).await.expect("an error");
    assert!(error.contains("Redis Cluster and Sentinel are not supported"), "{error}");
}
