//! A backend that serves a node: its parts and tasks, from the start to the end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::bus::{BusReceiver, BusSender, Control, Subscriptions};
use super::command_link::CommandLink;
use super::driver::{Commands, Driver};
use super::keys::Channel;
use super::membership::{self, GroupQuota, Peers, RegistryRequest, RegistryWriter};
use super::metrics::FaultCounters;
use super::rate_limit::ClusterRateLimiter;
use crate::backend::{Async, Deliver, Node};
use crate::error::{Error, Result};
use crate::supervise::SupervisedTask;

/// How long it is waited at the end until all is said.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The parts.
pub(super) struct RedisNode {
    pub(super) origin: u64,
    pub(super) deliver: Arc<dyn Deliver>,
    pub(super) link: Arc<CommandLink>,
    pub(super) sender: Arc<BusSender>,
    pub(super) subscriptions: Arc<Subscriptions>,
    pub(super) peers: Arc<Peers>,
    pub(super) groups: Arc<GroupQuota>,
    pub(super) rates: ClusterRateLimiter,
    pub(super) faults: Arc<FaultCounters>,
    pub(super) desk: mpsc::UnboundedSender<RegistryRequest>,
    tasks: Mutex<Vec<SupervisedTask>>,
}

impl RedisNode {
    /// Connects, takes a lease, and begins to hear and to be heard.
    ///
    /// # Errors
    /// When Redis cannot be reached, or refuses.
    pub(super) async fn begin(
        driver: &Arc<dyn Driver>,
        lease_time: Duration,
        node: Node,
        deliver: Arc<dyn Deliver>,
    ) -> Result<Self> {
        let origin = node.incarnation;
        let link = Arc::new(CommandLink::new(driver.commands().await?));
        let (sender, faults) = (Arc::new(BusSender::new(origin)), Arc::new(FaultCounters::default()));
        let (peers, groups) = (Arc::new(Peers::new(deliver.clone())), Arc::new(GroupQuota::default()));
        let subscriptions = Arc::new(Subscriptions::new(deliver.clone()));
        let heard = subscriptions.start(&**driver, origin).await?;

        let mut desk = RegistryWriter {
            node: node.id,
            origin,
            limits: node.limits,
            lease_time,
            link: link.clone(),
            deliver: deliver.clone(),
            peers: peers.clone(),
            groups: groups.clone(),
            state: membership::PendingWrites::default(),
        };
        desk.join().await?;
        let (asks, asked) = mpsc::unbounded_channel();

        let receiver = Arc::new(BusReceiver {
            origin,
            deliver: deliver.clone(),
            sender: sender.clone(),
            peers: peers.clone(),
            faults: faults.clone(),
        });
        let tasks = vec![
            node.supervisor.spawn("redis.registry", {
                let desk = Arc::new(tokio::sync::Mutex::new((desk, asked)));
                move || RegistryWriter::run(desk.clone())
            }),
            node.supervisor.spawn("redis.link", {
                let (link, driver, faults) = (link.clone(), driver.clone(), faults.clone());
                move || link.clone().run(driver.clone(), faults.clone())
            }),
            node.supervisor.spawn("redis.publish", {
                let (sender, link) = (sender.clone(), link.clone());
                move || sender.clone().run(link.clone())
            }),
            node.supervisor.spawn("redis.hear", {
                let (subscriptions, driver, first) = (subscriptions.clone(), driver.clone(), Mutex::new(Some(heard)));
                move || {
                    let first = first.lock().unwrap_or_else(PoisonError::into_inner).take();
                    subscriptions.clone().run(first, driver.clone(), receiver.clone())
                }
            }),
        ];
        let rates = ClusterRateLimiter::new(link.clone(), peers.clone());
        Ok(Self {
            origin,
            deliver,
            link,
            sender,
            subscriptions,
            peers,
            groups,
            rates,
            faults,
            desk: asks,
            tasks: Mutex::new(tasks),
        })
    }

    /// Says what waits, then goodbye, and gives everything back.
    pub(super) async fn end(&self) {
        // The last word of this node, after all that waits: whatever it has said before, everybody has heard then. Its lease
        // ends after that: else whoever looks in between takes it for dead.
        self.sender.send_control(Channel::Nodes, Control::Goodbye.write(self.origin));
        let said = async {
            while !self.sender.is_idle() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = tokio::time::timeout(LAST_WORDS, said).await;
        let (done, left) = oneshot::channel();
        if self.desk.send(RegistryRequest::Leave(done)).is_ok() {
            let _ = left.await;
        }
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.iter().for_each(SupervisedTask::stop);
    }

    /// Asks the desk.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when it is gone, or was started again meanwhile.
    pub(super) async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> RegistryRequest) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let gone =
            || Error::backend("the registry of this node was interrupted").with_retry_after(Duration::from_secs(1));
        self.desk.send(ask(answer)).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())
    }

    pub(super) async fn read<T>(&self, read: impl FnOnce(&dyn Commands) -> Async<'static, Result<T>>) -> Result<T> {
        let counted = read(&*self.link.get_or_fail()?).await;
        counted.inspect_err(|_| self.link.suspect())
    }
}
