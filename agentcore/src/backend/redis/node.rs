//! A started backend: the parts and tasks of a node, from start to end.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::bus::{BusReceiver, BusSender, Control, Subscriptions};
use super::command_link::CommandLink;
use super::driver::{Commands, Driver};
use super::keys::Channel;
use super::membership::{GroupQuota, Namesakes, Peers, PendingWrites, RegistryRequest, RegistryWriter};
use super::metrics::FaultCounters;
use super::rate_limit::ClusterRateLimiter;
use super::rights;
use crate::backend::{Async, Deliver, Node};
use crate::error::{Error, Result};
use crate::log_throttle::LogThrottle;
use crate::supervise::SupervisedTask;
use crate::sync::{Mutex, lock};

/// Limit of the time in which a node that ends publishes what is queued.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The parts of a node.
pub(super) struct RedisNode {
    pub(super) incarnation: u64,
    pub(super) deliver: Arc<dyn Deliver>,
    pub(super) link: Arc<CommandLink>,
    pub(super) sender: Arc<BusSender>,
    pub(super) subscriptions: Arc<Subscriptions>,
    pub(super) peers: Arc<Peers>,
    pub(super) group_quota: Arc<GroupQuota>,
    pub(super) rate_limiter: ClusterRateLimiter,
    pub(super) faults: Arc<FaultCounters>,
    /// Whether this node can admit connections; the registry writer sets it.
    pub(super) admits: Arc<AtomicBool>,
    pub(super) registry: mpsc::UnboundedSender<RegistryRequest>,
    tasks: Mutex<Vec<SupervisedTask>>,
}

impl RedisNode {
    /// Connects, takes a lease, and starts to receive and publish.
    ///
    /// # Errors
    /// When Redis cannot be reached or refuses a command.
    pub(super) async fn start(
        driver: &Arc<dyn Driver>,
        lease_time: Duration,
        node: Node,
        deliver: Arc<dyn Deliver>,
    ) -> Result<Self> {
        let incarnation = node.incarnation;
        let link = Arc::new(CommandLink::new(driver.commands().await?));
        let (sender, faults) = (Arc::new(BusSender::new(incarnation)), Arc::new(FaultCounters::default()));
        let (peers, group_quota) =
            (Arc::new(Peers::new(deliver.clone(), link.clone())), Arc::new(GroupQuota::default()));
        let subscriptions = Arc::new(Subscriptions::new(deliver.clone()));
        let subscriber = subscriptions.start(&**driver, incarnation).await?;
        if let Some(commands) = link.get() {
            rights::try_all(&*commands, subscriber.subscription(), incarnation).await?;
        }

        let mut writer = RegistryWriter {
            node: node.id,
            incarnation,
            limits: node.limits,
            lease_time,
            link: link.clone(),
            deliver: deliver.clone(),
            peers: peers.clone(),
            quota: group_quota.clone(),
            pending: PendingWrites::default(),
            admits: Arc::default(),
            refusals: LogThrottle::default(),
            namesakes: Namesakes::default(),
        };
        let admits = writer.admits.clone();
        writer.join().await?;
        let (registry, requests) = mpsc::unbounded_channel();

        let receiver = Arc::new(BusReceiver {
            incarnation,
            deliver: deliver.clone(),
            sender: sender.clone(),
            peers: peers.clone(),
            faults: faults.clone(),
        });
        let tasks = vec![
            node.supervisor.spawn("redis.registry", {
                let writer = Arc::new(tokio::sync::Mutex::new((writer, requests)));
                move || RegistryWriter::run(writer.clone())
            }),
            node.supervisor.spawn("redis.commands", {
                let (link, driver, faults) = (link.clone(), driver.clone(), faults.clone());
                move || link.clone().run(driver.clone(), faults.clone())
            }),
            node.supervisor.spawn("redis.publish", {
                let (sender, link) = (sender.clone(), link.clone());
                move || sender.clone().run(link.clone())
            }),
            node.supervisor.spawn("redis.subscribe", {
                let (subscriptions, driver, link) = (subscriptions.clone(), driver.clone(), link.clone());
                let first = Mutex::new(Some(subscriber));
                move || {
                    let first = lock(&first).take();
                    subscriptions.clone().run(first, driver.clone(), receiver.clone(), link.clone())
                }
            }),
        ];
        let rate_limiter = ClusterRateLimiter::new(link.clone(), peers.clone());
        Ok(Self {
            incarnation,
            deliver,
            link,
            sender,
            subscriptions,
            peers,
            group_quota,
            rate_limiter,
            faults,
            admits,
            registry,
            tasks: Mutex::new(tasks),
        })
    }

    /// Publishes what is queued, says goodbye, and removes this node from the registry.
    pub(super) async fn stop(&self) {
        // The goodbye follows all other messages of this node. The lease is removed after it: a node whose lease is
        // gone before its goodbye has arrived counts as dead.
        self.sender.send_control(Channel::Nodes, Control::Goodbye.write(self.incarnation));
        let flushed = async {
            while !self.sender.is_idle() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = timeout(FLUSH_TIMEOUT, flushed).await;
        let (done, left) = oneshot::channel();
        if self.registry.send(RegistryRequest::Leave(done)).is_ok() {
            let _ = left.await;
        }
        let tasks = std::mem::take(&mut *lock(&self.tasks));
        tasks.iter().for_each(SupervisedTask::stop);
    }

    /// Sends a request to the registry writer, and waits for the reply.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when the writer has ended, or restarts after a panic.
    pub(super) async fn request<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> RegistryRequest) -> Result<T> {
        let (reply, replied) = oneshot::channel();
        let interrupted =
            || Error::backend("the registry of this node was interrupted").with_retry_after(Duration::from_secs(1));
        self.registry.send(request(reply)).map_err(|_| interrupted())?;
        replied.await.map_err(|_| interrupted())
    }

    /// Reads from Redis.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when there is no connection, or the command fails.
    pub(super) async fn read<T>(&self, read: impl FnOnce(&dyn Commands) -> Async<'static, Result<T>>) -> Result<T> {
        let result = read(&*self.link.get_or_fail()?).await;
        result.inspect_err(|_| self.link.suspect())
    }
}
