//! Test fixtures: a Redis of either kind, nodes that write, and receivers of messages.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;

use super::super::*;
use super::server::Server;
use crate::backend::redis::keys::{Channel, Keyspace};
use crate::backend::{Admission, AdmissionLimits};
use crate::id::{GroupName, NodeId, UserId};

/// Duration of a lease; short, so that tests can wait for its end.
pub(super) const LEASE: Duration = Duration::from_millis(1_000);
pub(super) const GRACE: Duration = Duration::from_millis(600);

pub(super) const NO_LIMITS: AdmissionLimits =
    AdmissionLimits { total: usize::MAX, per_user: usize::MAX, per_ip: usize::MAX, groups: usize::MAX };

/// Runs each test on the stub with tokio's paused clock, and on a server.
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
            Redis::Server(server) => server.run(&["FLUSHALL"]),
        }
    }

    /// Makes Redis hang: it answers nothing until it is resumed.
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
            Redis::Server(server) => drop(server.run::<i64>(&["CLIENT", "KILL", "TYPE", "pubsub"])),
        }
    }

    /// Asserts that all keys begin with a prefix.
    pub(super) fn assert_within(&self, prefix: &str) {
        if let Redis::Server(server) = &self.redis {
            assert!(server.keys().iter().all(|key| key.starts_with(prefix)), "{:?}", server.keys());
        }
    }

    /// Asserts that no key is left.
    pub(super) fn assert_empty(&self) {
        if let Redis::Server(server) = &self.redis {
            assert_eq!(server.keys(), Vec::<String>::new());
        }
    }

    pub(super) async fn commands(&self) -> Arc<dyn Commands> {
        self.driver.commands().await.unwrap()
    }

    /// Joins a node without limits.
    pub(super) async fn node(&self, name: &str) -> TestNode {
        TestNode::join(self.commands().await, name, None, NO_LIMITS).await
    }

    /// Joins a node with limits.
    pub(super) async fn node_within(&self, name: &str, limits: AdmissionLimits) -> TestNode {
        TestNode::join(self.commands().await, name, None, limits).await
    }
}

pub(super) fn config(url: String, prefix: &str) -> DriverConfig {
    DriverConfig {
        url,
        keyspace: Keyspace::new(prefix),
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
    pub(super) lease: WriteLease,
    pub(super) view: ClusterView,
}

impl TestNode {
    pub(super) async fn join(
        commands: Arc<dyn Commands>,
        name: &str,
        previous_epoch: Option<u64>,
        limits: AdmissionLimits,
    ) -> Self {
        Self::try_join(commands, name, previous_epoch, limits, (0, 0)).await.unwrap()
    }

    pub(super) async fn try_join(
        commands: Arc<dyn Commands>,
        name: &str,
        previous_epoch: Option<u64>,
        limits: AdmissionLimits,
        (connections, groups): (usize, usize),
    ) -> Result<Self> {
        let lease = uuid::Uuid::new_v4().as_u64_pair().0;
        let node = NodeId::new(name).unwrap();
        let incarnation = lease / 2;
        let request = JoinRequest { lease, node, incarnation, connections, groups, attempt: 1, previous_epoch };
        let view = commands.join(request).await?;
        let lease = WriteLease { lease, epoch: view.epoch, limits };
        Ok(Self { name: name.to_owned(), commands, lease, view })
    }

    /// Joins again under a new lease, as a fenced node does.
    pub(super) async fn rejoin(&self) -> Self {
        Self::join(self.commands.clone(), &self.name, Some(self.lease.epoch), self.lease.limits).await
    }

    pub(super) async fn renew(&self) -> Option<ClusterView> {
        self.commands.renew(self.lease).await.unwrap()
    }

    /// Writes one change. Returns `None` when the node is fenced.
    pub(super) async fn try_write(&self, change: Change) -> Option<ChangeOutcome> {
        let outcomes = self.commands.write(self.lease, [change].into()).await.unwrap()?;
        assert_eq!(outcomes.len(), 1);
        outcomes.into_iter().next()
    }

    pub(super) async fn write(&self, change: Change) -> ChangeOutcome {
        self.try_write(change).await.expect("not fenced")
    }

    pub(super) async fn remove(&self) {
        self.commands.remove(self.lease.lease, true).await.unwrap();
    }

    /// Renews the lease until the task is aborted.
    pub(super) fn renewing(&self) -> tokio::task::AbortHandle {
        let node = self.clone();
        let renewing = async move {
            while node.commands.renew(node.lease).await.is_ok() {
                tokio::time::sleep(LEASE / 4).await;
            }
        };
        tokio::spawn(renewing).abort_handle()
    }
}

pub(super) fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

pub(super) fn group(name: &str) -> GroupName {
    GroupName::new(name).unwrap()
}

pub(super) fn admit(name: &str, ip: Option<IpAddr>) -> Change {
    Change::Admit(Admission::new(user(name), ip))
}

pub(super) fn release(name: &str, ip: Option<IpAddr>) -> Change {
    Change::Release(Admission::new(user(name), ip))
}

pub(super) fn enter(group_name: &str, user_name: &str) -> Change {
    Change::Enter(EnterPresence {
        group: group(group_name),
        user: user(user_name),
        joined: Bytes::from(format!("{user_name} joined")),
        left: Bytes::from(format!("{user_name} left")),
        is_replay: false,
    })
}

pub(super) fn exit(group_name: &str, user_name: &str, lost: bool) -> Change {
    Change::Exit { group: group(group_name), user: user(user_name), lost }
}

/// Collects the events of a subscription.
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

    /// Returns the payloads as text.
    pub(super) fn texts(&self) -> Vec<String> {
        let text = |event| match event {
            SubscriptionEvent::Message(_, payload) => Some(String::from_utf8(payload.to_vec()).unwrap()),
            _ => None,
        };
        self.received().into_iter().filter_map(text).collect()
    }

    /// Waits for a number of payloads, and returns all as text.
    pub(super) async fn wait_for(&self, count: usize) -> Vec<String> {
        until(|| self.texts().len() >= count).await;
        self.texts()
    }
}

/// Waits until a condition is true.
pub(super) async fn until(is: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if is() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the condition was never met");
}
