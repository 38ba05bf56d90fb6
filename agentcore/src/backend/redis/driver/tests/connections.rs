//! Connections: delivery, the end of a connection, and the errors when one cannot be opened.

use std::task::Poll;

use super::super::*;
use super::fixture::*;
use super::server::Server;
use crate::error::Error;

async fn messages_reach_subscribers_in_order(redis: TestRedis) {
    let commands = redis.commands().await;
    let here = Channel::Group(group("here"));
    let (receiver, subscription) = Receiver::on(&redis, vec![here.clone(), Channel::Users]).await;
    let (other, _other_subscription) = Receiver::on(&redis, vec![Channel::Everyone]).await;
    let payloads: Vec<_> = (0..500).map(|number| Bytes::from(format!("{number}"))).collect();
    let messages = payloads.iter().map(|payload| (here.clone(), payload.clone())).collect();
    commands.publish(messages).await.unwrap();
    commands.publish(vec![(Channel::Users, Bytes::from_static(b"\xff\0"))]).await.unwrap();
    commands.publish(Vec::new()).await.unwrap();
    until(|| receiver.received().len() == 501).await;
    let mut expected: Vec<_> =
        payloads.into_iter().map(|payload| SubscriptionEvent::Message(here.clone(), payload)).collect();
    expected.push(SubscriptionEvent::Message(Channel::Users, Bytes::from_static(b"\xff\0")));
    assert_eq!(receiver.received(), expected);
    assert!(other.received().is_empty());

    subscription.unsubscribe(vec![here.clone()]).await.unwrap();
    until(|| receiver.received().len() == 502).await;
    assert_eq!(receiver.received()[501], SubscriptionEvent::Unsubscribed(here.clone()));
    commands.publish(vec![(here, Bytes::from_static(b"unsubscribed"))]).await.unwrap();
    commands.publish(vec![(Channel::Users, Bytes::from_static(b"still subscribed"))]).await.unwrap();
    until(|| receiver.received().len() == 503).await;
    assert_eq!(
        receiver.received()[502],
        SubscriptionEvent::Message(Channel::Users, Bytes::from_static(b"still subscribed"))
    );
}

async fn one_command_subscribes_to_thousands_of_channels(redis: TestRedis) {
    let commands = redis.commands().await;
    let channels: Vec<_> = (0..5_000).map(|number| Channel::Group(group(&format!("g{number}")))).collect();
    let (receiver, subscription) = Receiver::on(&redis, channels.clone()).await;
    subscription.subscribe(Vec::new()).await.unwrap();
    subscription.unsubscribe(Vec::new()).await.unwrap();
    let messages = channels.iter().map(|channel| (channel.clone(), Bytes::from_static(b"hello"))).collect();
    commands.publish(messages).await.unwrap();
    until(|| receiver.received().len() == 5_000).await;
    subscription.unsubscribe(channels).await.unwrap();
    until(|| receiver.received().len() == 10_000).await;
    subscription.ping().await.unwrap();
    commands.ping().await.unwrap();
}

async fn the_end_of_a_subscription_is_reported_once(redis: TestRedis) {
    let (receiver, subscription) = Receiver::on(&redis, vec![Channel::Users]).await;
    let (other, dropped) = Receiver::on(&redis, vec![Channel::Users]).await;
    drop(dropped);
    redis.cut_subscriptions();
    until(|| !receiver.received().is_empty()).await;
    assert!(subscription.ping().await.is_err());
    assert!(subscription.subscribe(vec![Channel::Everyone]).await.is_err());
    drop(subscription);
    let (again, _subscription) = Receiver::on(&redis, vec![Channel::Users]).await;
    redis.commands().await.publish(vec![(Channel::Users, Bytes::from_static(b"back"))]).await.unwrap();
    assert_eq!(again.wait_for(1).await, ["back"]);
    assert_eq!(receiver.received(), [SubscriptionEvent::Lost]);
    assert!(other.received().is_empty(), "dropping a subscription reports nothing");
}

async fn an_unanswered_call_fails_within_a_second_and_ends_the_connection(redis: TestRedis) {
    let commands = redis.commands().await;
    let (_ear, subscription) = Receiver::on(&redis, vec![Channel::Users]).await;
    redis.set_hang(true);
    let begun = tokio::time::Instant::now();
    let (first, second, third) = tokio::join!(commands.ping(), subscription.ping(), redis.driver.commands());
    assert!(first.is_err() && second.is_err());
    let error = third.map(drop).unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), ("BACKEND_UNAVAILABLE", true));
    assert!(begun.elapsed() < Duration::from_millis(1_500), "{:?}", begun.elapsed());
    redis.set_hang(false);
    assert!(commands.ping().await.is_err(), "a late reply could belong to an earlier call");
    redis.commands().await.ping().await.unwrap();
}

on_both!(
    messages_reach_subscribers_in_order,
    one_command_subscribes_to_thousands_of_channels,
    the_end_of_a_subscription_is_reported_once,
    an_unanswered_call_fails_within_a_second_and_ends_the_connection,
);

/// A process without CPU time reads replies late that arrived in time.
#[tokio::test]
async fn a_suspended_process_does_not_take_redis_for_dead() {
    let Some(server) = Server::start(&[]) else { return };
    let driver = RealDriver::new(config(server.url(), "ws:")).unwrap();
    let (commands, receiver) = (driver.commands().await.unwrap(), Receiver::default());
    let subscription = driver.subscription(receiver.events()).await.unwrap();
    for _ in 0..3 {
        let mut pings = Box::pin(async { tokio::join!(commands.ping(), subscription.ping()) });
        let begun = std::future::poll_fn(|context| Poll::Ready(pings.as_mut().poll(context))).await;
        assert!(begun.is_pending());
        // Blocks the only thread, which reads replies and counts the time.
        std::thread::sleep(Duration::from_millis(1_200));
        let (first, second) = pings.await;
        first.unwrap();
        second.unwrap();
    }
    assert!(receiver.received().is_empty());
}

fn whole_text(error: &Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text += &format!(" {cause} {cause:?}");
        source = cause.source();
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acl_user_needs_access_to_the_prefix_only() {
    let Some(server) = Server::start(&[]) else { return };
    server.run::<()>(&["ACL", "SETUSER", "chat", "on", ">pass:w/rd@1", "~ws:*", "&ws:*", "+@all", "-@dangerous"]);
    let url = |password: &str| format!("redis://chat:{password}@127.0.0.1:{}/3?protocol=resp2", server.port);
    let driver = RealDriver::new(config(url("pass%3Aw%2Frd%401"), "ws:")).unwrap();
    let commands = driver.commands().await.unwrap();
    let receiver = Receiver::default();
    let subscription = driver.subscription(receiver.events()).await.unwrap();
    subscription.subscribe(vec![Channel::Group(group("g"))]).await.unwrap();
    let node = TestNode::join(commands, "node", None, NO_LIMITS).await;
    node.write(admit("ada", None)).await;
    node.write(enter("g", "ada")).await;
    node.commands.check_rate("s".to_owned(), vec![super::rates::quota(1, LEASE)], 1).await.unwrap();
    assert_eq!(receiver.wait_for(1).await, ["ada joined"]);
    assert_eq!(server.keys(), Vec::<String>::new(), "all keys are in database 3");
    node.remove().await;
    assert_eq!(receiver.wait_for(2).await, ["ada joined", "ada left"]);

    let wrong = RealDriver::new(config(url("secret"), "ws:")).unwrap();
    let error = wrong.commands().await.map(drop).unwrap_err();
    assert_eq!(error.code(), "BACKEND_UNAVAILABLE");
    let text = whole_text(&error);
    assert!(text.contains("WRONGPASS") && !text.contains("secret"), "{text}");
    assert!(!format!("{wrong:?}").contains("secret"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forbidden_prefix_is_an_error_that_keeps_the_connection() {
    let Some(server) = Server::start(&[]) else { return };
    server.run::<()>(&["ACL", "SETUSER", "chat", "on", ">p", "~ws:*", "&ws:*", "+@all"]);
    let driver = RealDriver::new(config(format!("redis://chat:p@127.0.0.1:{}", server.port), "other:")).unwrap();
    let commands = driver.commands().await.unwrap();
    let error = commands.publish(vec![(Channel::Users, Bytes::from_static(b"x"))]).await.unwrap_err();
    let text = whole_text(&error);
    assert!(text.contains("Redis refuses") && text.contains("NoPerm"), "{text}");
    assert!(commands.user_count().await.is_err());
    commands.ping().await.unwrap();
    let subscription = driver.subscription(Receiver::default().events()).await.unwrap();
    assert!(subscription.subscribe(vec![Channel::Users, Channel::Everyone]).await.is_err());
    subscription.ping().await.unwrap();
}

#[test]
fn an_error_never_quotes_an_unreadable_url() {
    for url in ["http://ada:secret@host", "redis://ada:secret@host:port", "redis://ada:secret@host/x", "secret", ""] {
        let error = RealDriver::new(config(url.to_owned(), "ws:")).unwrap_err();
        let text = whole_text(&error);
        assert!(text.contains("the URL of Redis cannot be read"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}

#[cfg(not(feature = "redis-tls"))]
#[test]
fn the_error_for_tls_names_the_missing_feature() {
    let error = RealDriver::new(config("rediss://ada:secret@host".to_owned(), "ws:")).unwrap_err();
    let text = whole_text(&error);
    assert!(text.contains("`redis-tls`") && !text.contains("secret"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opening_fails_when_no_server_listens() {
    let Some(server) = Server::start(&[]) else { return };
    let driver = RealDriver::new(config(server.url(), "ws:")).unwrap();
    drop(server);
    assert_eq!(driver.commands().await.map(drop).unwrap_err().code(), "BACKEND_UNAVAILABLE");
    let receiver = Receiver::default();
    assert!(driver.subscription(receiver.events()).await.is_err());
    assert!(receiver.received().is_empty(), "a connection that was never open is not reported as lost");
}

#[tokio::test(start_paused = true)]
async fn the_stub_fails_on_request() {
    let stub = StubServer::new(LEASE);
    let driver = stub.driver();
    let commands = driver.commands().await.unwrap();
    let receiver = Receiver::default();
    let subscription = driver.subscription(receiver.events()).await.unwrap();
    subscription.subscribe(vec![Channel::Users]).await.unwrap();
    let publish = |text: &'static str| commands.publish(vec![(Channel::Users, Bytes::from_static(text.as_bytes()))]);
    stub.drop_next_publish();
    publish("dropped").await.unwrap();
    publish("received").await.unwrap();
    assert_eq!(receiver.wait_for(1).await, ["received"]);

    stub.set_down(true);
    let begun = tokio::time::Instant::now();
    assert!(publish("while it is down").await.is_err());
    assert!(begun.elapsed().abs_diff(Duration::from_secs(1)) <= Duration::from_millis(2), "{:?}", begun.elapsed());
    assert!(driver.commands().await.is_err());
    assert_eq!(receiver.received().last(), Some(&SubscriptionEvent::Lost));
    stub.set_down(false);
    assert!(publish("on a dead connection").await.is_err());
    driver.commands().await.unwrap().ping().await.unwrap();
}

/// Collects the log lines of the thread.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_server_that_may_evict_keys_is_logged_once() {
    for (policy, warnings) in [("allkeys-lru", 1), ("noeviction", 0)] {
        let Some(server) = Server::start(&["--maxmemory-policy", policy]) else { return };
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        let driver = RealDriver::new(config(server.url(), "ws:")).unwrap();
        for _ in 0..2 {
            driver.commands().await.unwrap();
        }
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.matches("Redis may evict keys").count(), warnings, "{text}");
    }
}
