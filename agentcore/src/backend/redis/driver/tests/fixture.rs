//! What a test needs: a Redis of either kind, nodes that write, and ears that hear.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;

use super::super::*;
use super::server::Server;
use crate::backend::AdmissionLimits;
use crate::backend::redis::keys::{Channel, Keyspace};
use crate::id::{GroupName, NodeId, UserId};

/// Short, so that a test sees it end.
pub(super) const LEASE: Duration = Duration::from_millis(1_000);
pub(super) const GRACE: Duration = Duration::from_millis(600);

pub(super) const NO_LIMITS: AdmissionLimits =
    AdmissionLimits { total: usize::MAX, per_user: usize::MAX, per_ip: usize::MAX, groups: usize::MAX };

/// Runs each test on the stub, with a clock that jumps, and on a server.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_the_stub {
            $(
                #[tokio::test(start_paused = true)]
                async fn $name() {
                    super::$name($crate::backend::redis::driver::tests::fixture::TestRedis::stub()).await;
                }
            )+
        }
        $crate::backend::redis::driver::tests::fixture::on_a_server!($($name),+);
    };
}

/// Runs each test on a server.
macro_rules! on_a_server {
    ($($name:ident),+ $(,)?) => {
        mod on_a_server {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    if let Some(redis) = $crate::backend::redis::driver::tests::fixture::TestRedis::real() {
                        super::$name(redis).await;
                    }
                }
            )+
        }
    };
}
pub(super) use {on_a_server, on_both};

pub(super) struct TestRedis {
    pub(super) driver: Arc<dyn Driver>,
    redis: Redis,
}

enum Redis {
    Stub(StubServer),
    Server(Server),
}

impl TestRedis {
    pub(super) fn stub() -> Self {
        let stub = StubServer::with_grace(LEASE, GRACE);
        Self { driver: Arc::new(stub.driver()), redis: Redis::Stub(stub) }
    }

    pub(super) fn real() -> Option<Self> {
        let server = Server::start(&[])?;
        let driver = Arc::new(RealDriver::with_grace(config(server.url(), "ws:"), GRACE).unwrap());
        Some(Self { driver, redis: Redis::Server(server) })
    }

    pub(super) fn server(&mut self) -> &mut Server {
        match &mut self.redis {
            Redis::Server(server) => server,
            Redis::Stub(_) => panic!("the stub has no server"),
        }
    }

    pub(super) fn lose_everything(&self) {
        match &self.redis {
            Redis::Stub(stub) => stub.lose_everything(),
            Redis::Server(server) => server.does(&["FLUSHALL"]),
        }
    }

    /// It answers nothing, until it goes on.
    pub(super) fn set_hang(&self, hangs: bool) {
        match &self.redis {
            Redis::Stub(stub) => stub.set_hang(hangs),
            Redis::Server(server) if hangs => server.freeze(),
            Redis::Server(server) => server.thaw(),
        }
    }

    pub(super) fn cut_subscriptions(&self) {
        match &self.redis {
            Redis::Stub(stub) => stub.cut_subscriptions(),
            Redis::Server(server) => drop(server.does::<i64>(&["CLIENT", "KILL", "TYPE", "pubsub"])),
        }
    }

    /// Nothing is outside a prefix.
    pub(super) fn assert_within(&self, prefix: &str) {
        if let Redis::Server(server) = &self.redis {
            assert!(server.keys().iter().all(|key| key.starts_with(prefix)), "{:?}", server.keys());
        }
    }

    /// Nothing is left.
    pub(super) fn assert_empty(&self) {
        if let Redis::Server(server) = &self.redis {
            assert_eq!(server.keys(), Vec::<String>::new());
        }
    }

    pub(super) async fn commands(&self) -> Arc<dyn Commands> {
        self.driver.commands().await.unwrap()
    }

    /// A node that has just joined.
    pub(super) async fn node(&self, name: &str) -> TestNode {
        TestNode::join(self.commands().await, name, None, NO_LIMITS).await
    }

    pub(super) async fn node_within(&self, name: &str, limits: AdmissionLimits) -> TestNode {
        TestNode::join(self.commands().await, name, None, limits).await
    }
}

pub(super) fn config(url: String, prefix: &str) -> DriverConfig {
    DriverConfig {
        url,
        names: Keyspace::new(prefix),
        lease: LEASE,
        registry_expiry: Duration::from_secs(60),
        presence_expiry: Duration::from_secs(60),
    }
}

/// A node under one lease.
#[derive(Clone)]
pub(super) struct TestNode {
    pub(super) name: String,
    pub(super) commands: Arc<dyn Commands>,
    pub(super) writer: WriteLease,
    pub(super) view: ClusterView,
}

impl TestNode {
    pub(super) async fn join(
        commands: Arc<dyn Commands>,
        name: &str,
        before: Option<u64>,
        limits: AdmissionLimits,
    ) -> Self {
        Self::try_join(commands, name, before, limits, (0, 0)).await.unwrap()
    }

    pub(super) async fn try_join(
        commands: Arc<dyn Commands>,
        name: &str,
        before: Option<u64>,
        limits: AdmissionLimits,
        (places, groups): (usize, usize),
    ) -> Result<Self> {
        let lease = uuid::Uuid::new_v4().as_u64_pair().0;
        let node = NodeId::new(name).unwrap();
        let joining = JoinRequest { lease, node, origin: lease / 2, places, groups, number: 1, before };
        let view = commands.join(joining).await?;
        let writer = WriteLease { lease, epoch: view.epoch, limits };
        Ok(Self { name: name.to_owned(), commands, writer, view })
    }

    /// Joins again, as a node does that was fenced.
    pub(super) async fn rejoin(&self) -> Self {
        Self::join(self.commands.clone(), &self.name, Some(self.writer.epoch), self.writer.limits).await
    }

    pub(super) async fn renew(&self) -> Option<ClusterView> {
        self.commands.renew(self.writer).await.unwrap()
    }

    /// Writes one change; `None`: fenced.
    pub(super) async fn try_write(&self, change: Change) -> Option<ChangeOutcome> {
        let outcomes = self.commands.write(self.writer, [change].into()).await.unwrap()?;
        assert_eq!(outcomes.len(), 1);
        outcomes.into_iter().next()
    }

    pub(super) async fn write(&self, change: Change) -> ChangeOutcome {
        self.try_write(change).await.expect("not fenced")
    }

    pub(super) async fn remove(&self) {
        self.commands.remove(self.writer.lease, true).await.unwrap();
    }

    /// Goes on renewing until it is dropped.
    pub(super) fn renewing(&self) -> tokio::task::AbortHandle {
        let node = self.clone();
        let renewing = async move {
            while node.commands.renew(node.writer).await.is_ok() {
                tokio::time::sleep(LEASE / 4).await;
            }
        };
        tokio::spawn(renewing).abort_handle()
    }
}

impl ClusterView {
    /// The places of all nodes together.
    pub(super) fn places(&self) -> usize {
        self.live.iter().map(|peer| peer.places).sum()
    }
}

pub(super) fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

pub(super) fn group(name: &str) -> GroupName {
    GroupName::new(name).unwrap()
}

pub(super) fn entering(group_name: &str, user_name: &str) -> Change {
    Change::Enter(EnterPresence {
        group: group(group_name),
        user: user(user_name),
        joined: Bytes::from(format!("{user_name} joined")),
        left: Bytes::from(format!("{user_name} left")),
        again: false,
    })
}

pub(super) fn exiting(group_name: &str, user_name: &str, lost: bool) -> Change {
    Change::Exit { group: group(group_name), user: user(user_name), lost }
}

/// Hears channels, and keeps what came.
#[derive(Clone, Default)]
pub(super) struct Receiver {
    received: Arc<Mutex<Vec<SubscriptionEvent>>>,
}

impl Receiver {
    pub(super) fn events(&self) -> EventSink {
        let received = self.received.clone();
        Arc::new(move |event| received.lock().unwrap().push(event))
    }

    pub(super) async fn on(redis: &TestRedis, channels: Vec<Channel>) -> (Self, Arc<dyn Subscription>) {
        let receiver = Self::default();
        let subscription = redis.driver.subscription(receiver.events()).await.unwrap();
        subscription.subscribe(channels).await.unwrap();
        (receiver, subscription)
    }

    pub(super) fn received(&self) -> Vec<SubscriptionEvent> {
        self.received.lock().unwrap().clone()
    }

    /// The payloads, as text.
    pub(super) fn texts(&self) -> Vec<String> {
        let text = |event| match event {
            SubscriptionEvent::Message(_, payload) => Some(String::from_utf8(payload.to_vec()).unwrap()),
            _ => None,
        };
        self.received().into_iter().filter_map(text).collect()
    }

    /// Ends when as many payloads have come, and says which.
    pub(super) async fn wait_for(&self, count: usize) -> Vec<String> {
        until(|| self.texts().len() >= count).await;
        self.texts()
    }
}

/// Ends when something is true.
pub(super) async fn until(is: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if is() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it never came");
}
