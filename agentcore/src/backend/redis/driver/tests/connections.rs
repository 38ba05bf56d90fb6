//! Links: what they carry, how they end, and what they say when they cannot be opened.

use std::task::Poll;

use super::super::*;
use super::fixture::*;
use super::server::Server;

async fn what_is_published_arrives_in_order_where_it_is_heard(redis: TestRedis) {
    let commands = redis.commands().await;
    let here = Channel::Group(group("here"));
    let (receiver, subscription) = Receiver::on(&redis, vec![here.clone(), Channel::Users]).await;
    let (deaf, _other) = Receiver::on(&redis, vec![Channel::Everyone]).await;
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
    assert!(deaf.received().is_empty());

    subscription.unsubscribe(vec![here.clone()]).await.unwrap();
    until(|| receiver.received().len() == 502).await;
    assert_eq!(receiver.received()[501], SubscriptionEvent::Unsubscribed(here.clone()));
    commands.publish(vec![(here, Bytes::from_static(b"nobody"))]).await.unwrap();
    commands.publish(vec![(Channel::Users, Bytes::from_static(b"you"))]).await.unwrap();
    until(|| receiver.received().len() == 503).await;
    assert_eq!(receiver.received()[502], SubscriptionEvent::Message(Channel::Users, Bytes::from_static(b"you")));
}

async fn thousands_of_channels_are_one_command(redis: TestRedis) {
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

async fn the_end_of_a_subscription_is_told_once(redis: TestRedis) {
    let (receiver, subscription) = Receiver::on(&redis, vec![Channel::Users]).await;
    let (other, dropped) = Receiver::on(&redis, vec![Channel::Users]).await;
    drop(dropped);
    redis.cut_subscriptions();
    until(|| !receiver.received().is_empty()).await;
    assert!(subscription.ping().await.is_err());
    assert!(subscription.subscribe(vec![Channel::Everyone]).await.is_err());
    drop(subscription);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(receiver.received(), [SubscriptionEvent::Lost]);
    assert!(other.received().is_empty(), "who has ended it hears nothing of its end");

    let (again, _subscription) = Receiver::on(&redis, vec![Channel::Users]).await;
    redis.commands().await.publish(vec![(Channel::Users, Bytes::from_static(b"back"))]).await.unwrap();
    assert_eq!(again.wait_for(1).await, ["back"]);
}

async fn a_call_that_is_not_answered_fails_within_a_second_and_the_link_with_it(redis: TestRedis) {
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
    assert!(commands.ping().await.is_err(), "what it answers now may belong to an earlier question");
    redis.commands().await.ping().await.unwrap();
}

on_both!(
    what_is_published_arrives_in_order_where_it_is_heard,
    thousands_of_channels_are_one_command,
    the_end_of_a_subscription_is_told_once,
    a_call_that_is_not_answered_fails_within_a_second_and_the_link_with_it,
);

/// A process that gets no CPU reads late what came in time.
#[tokio::test]
async fn a_process_that_stands_still_takes_nobody_for_dead() {
    let Some(server) = Server::start(&[]) else { return };
    let driver = RealDriver::new(config(server.url(), "ws:")).unwrap();
    let (commands, receiver) = (driver.commands().await.unwrap(), Receiver::default());
    let subscription = driver.subscription(receiver.events()).await.unwrap();
    for _ in 0..3 {
        let mut pings = Box::pin(async { tokio::join!(commands.ping(), subscription.ping()) });
        let begun = std::future::poll_fn(|context| Poll::Ready(pings.as_mut().poll(context))).await;
        assert!(begun.is_pending());
        // This thread is the only one, for all that reads and for all that counts the time.
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
async fn a_user_who_may_only_touch_the_prefix_is_enough() {
    let Some(server) = Server::start(&[]) else { return };
    server.does::<()>(&["ACL", "SETUSER", "chat", "on", ">pass:w/rd@1", "~ws:*", "&ws:*", "+@all", "-@dangerous"]);
    let url = |password: &str| format!("redis://chat:{password}@127.0.0.1:{}/3?protocol=resp2", server.port);
    let driver = RealDriver::new(config(url("pass%3Aw%2Frd%401"), "ws:")).unwrap();
    let commands = driver.commands().await.unwrap();
    let receiver = Receiver::default();
    let subscription = driver.subscription(receiver.events()).await.unwrap();
    subscription.subscribe(vec![Channel::Group(group("g"))]).await.unwrap();
    let node = TestNode::join(commands, "node", None, NO_LIMITS).await;
    node.write(Change::Admit(user("ada"), None)).await;
    node.write(entering("g", "ada")).await;
    node.commands.take("s".to_owned(), vec![super::rates::quota(1, LEASE)], 1).await.unwrap();
    assert_eq!(receiver.wait_for(1).await, ["ada joined"]);
    assert_eq!(server.keys(), Vec::<String>::new(), "it is in database 3");
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
async fn a_prefix_that_is_not_permitted_is_an_error_and_not_the_end_of_the_link() {
    let Some(server) = Server::start(&[]) else { return };
    server.does::<()>(&["ACL", "SETUSER", "chat", "on", ">p", "~ws:*", "&ws:*", "+@all"]);
    let driver = RealDriver::new(config(format!("redis://chat:p@127.0.0.1:{}", server.port), "other:")).unwrap();
    let commands = driver.commands().await.unwrap();
    let error = commands.publish(vec![(Channel::Users, Bytes::from_static(b"x"))]).await.unwrap_err();
    let text = whole_text(&error);
    assert!(text.contains("Redis refuses") && text.contains("NoPerm"), "{text}");
    assert!(commands.users().await.is_err());
    commands.ping().await.unwrap();
    let subscription = driver.subscription(Receiver::default().events()).await.unwrap();
    assert!(subscription.subscribe(vec![Channel::Users, Channel::Everyone]).await.is_err());
    subscription.ping().await.unwrap();
}

#[test]
fn a_url_that_cannot_be_read_is_not_repeated() {
    for url in ["http://ada:secret@host", "redis://ada:secret@host:port", "redis://ada:secret@host/x", "secret", ""] {
        let error = RealDriver::new(config(url.to_owned(), "ws:")).unwrap_err();
        let text = whole_text(&error);
        assert!(text.contains("the URL of Redis cannot be read"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}

#[cfg(not(feature = "redis-tls"))]
#[test]
fn tls_needs_a_feature_and_the_error_names_it() {
    let error = RealDriver::new(config("rediss://ada:secret@host".to_owned(), "ws:")).unwrap_err();
    let text = whole_text(&error);
    assert!(text.contains("`redis-tls`") && !text.contains("secret"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_listens_opening_fails() {
    let Some(server) = Server::start(&[]) else { return };
    let driver = RealDriver::new(config(server.url(), "ws:")).unwrap();
    drop(server);
    assert_eq!(driver.commands().await.map(drop).unwrap_err().code(), "BACKEND_UNAVAILABLE");
    let receiver = Receiver::default();
    assert!(driver.subscription(receiver.events()).await.is_err());
    assert!(receiver.received().is_empty(), "what was never open cannot be lost");
}

#[tokio::test(start_paused = true)]
async fn the_stub_has_faults_at_will() {
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
    assert!(publish("into the void").await.is_err());
    assert!(begun.elapsed().abs_diff(Duration::from_secs(1)) <= Duration::from_millis(2), "{:?}", begun.elapsed());
    assert!(driver.commands().await.is_err());
    assert_eq!(receiver.received().last(), Some(&SubscriptionEvent::Lost));
    stub.set_down(false);
    assert!(publish("on a dead link").await.is_err());
    driver.commands().await.unwrap().ping().await.unwrap();
}

/// What is logged while it is the thread's.
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
async fn a_server_that_may_evict_keys_is_warned_of_once() {
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
