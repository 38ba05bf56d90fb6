//! The subscriber connection, and the task that keeps its subscriptions in line with the groups of this node.

mod link_check;
#[cfg(all(test, feature = "model"))]
mod model;
mod table;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::receive_queue::ReceiveQueue;
use super::receive_task::BusReceiver;
use crate::backend::redis::command_link::{CommandLink, PING_EVERY};
use crate::backend::redis::driver::{Driver, Subscription};
use crate::backend::redis::keys::Channel;
use crate::backend::redis::reconnect::Reconnect;
use crate::backend::{Async, Deliver, ResyncReason};
use crate::error::{Error, Result};
use crate::id::GroupName;
use crate::sync::{Mutex, lock};
use link_check::LinkCheck;
use table::{SubscribeOutcome, SubscriptionTable};

/// Number of groups in one SUBSCRIBE or UNSUBSCRIBE command.
const MAX_GROUPS_PER_COMMAND: usize = 5_000;
/// Pause per group after a SUBSCRIBE: batches the joins of a crowd into few round trips, while a single join waits for
/// one.
const PAUSE_PER_GROUP: Duration = Duration::from_millis(1);
/// Number of groups above which the pause does not grow.
const MAX_PAUSE_GROUPS: u32 = 200;

/// The subscriptions of this node to the channels of its groups.
pub(crate) struct Subscriptions {
    table: Mutex<SubscriptionTable>,
    /// Wakes the task after a change of the table.
    changed: Notify,
    deliver: Arc<dyn Deliver>,
}

impl Subscriptions {
    pub(crate) fn new(deliver: Arc<dyn Deliver>) -> Self {
        Self { table: Mutex::default(), changed: Notify::new(), deliver }
    }

    /// Subscribes to a group after a connection has joined it. The future resolves when the subscription is made or
    /// fails.
    pub(crate) fn subscribe(&self, group: &GroupName) -> Option<Async<'static, Result<()>>> {
        let offline = || Error::backend("messages of other nodes cannot be received now");
        let outcome = lock(&self.table).subscribe(group);
        match outcome {
            SubscribeOutcome::Subscribed => None,
            SubscribeOutcome::Pending(confirmed, is_first) => {
                if is_first {
                    self.changed.notify_one();
                }
                // The sender is dropped if the connection is lost.
                Some(Box::pin(async move { confirmed.await.map_err(|_| offline()) }))
            }
            SubscribeOutcome::Offline => Some(Box::pin(std::future::ready(Err(offline())))),
        }
    }

    /// Ends the subscription of a group later, after its last connection may have left.
    pub(crate) fn unsubscribe(&self, group: &GroupName) {
        if lock(&self.table).unsubscribe(group, Instant::now(), |group| self.deliver.has_members(group)) {
            self.changed.notify_one();
        }
    }

    /// Opens the first subscriber connection.
    ///
    /// # Errors
    /// Redis cannot be reached.
    pub(crate) async fn start(&self, driver: &dyn Driver, incarnation: u64) -> Result<SubscriberConnection> {
        let connection = self.open(driver, incarnation).await?;
        lock(&self.table).set_online(|group| self.deliver.has_members(group));
        Ok(connection)
    }

    async fn open(&self, driver: &dyn Driver, incarnation: u64) -> Result<SubscriberConnection> {
        let (events, queue) = ReceiveQueue::new(incarnation);
        let subscription = driver.subscription(events).await?;
        // A Redis that still loads its data set accepts subscriptions but refuses PING.
        subscription.ping().await?;
        subscription
            .subscribe(vec![Channel::Users, Channel::Everyone, Channel::Nodes, Channel::Node(incarnation)])
            .await?;
        // After SUBSCRIBE: the first command tells an observer the connections apart.
        let run_id = subscription.run_id().await?;
        Ok(SubscriberConnection { subscription, queue, run_id })
    }

    /// Runs the task: receives on the connection, and opens it again after a loss, or when it is at another server than
    /// the command connection.
    pub(crate) async fn run(
        self: Arc<Self>,
        first: Option<SubscriberConnection>,
        driver: Arc<dyn Driver>,
        receiver: Arc<BusReceiver>,
        link: Arc<CommandLink>,
    ) {
        let mut reconnect = Reconnect::new("messages of other nodes cannot be received");
        let mut current = first;
        // A task that the supervisor has started again has no connection; it waits as after a short-lived one.
        let mut since = Instant::now();
        loop {
            if let Some(SubscriberConnection { subscription, queue, run_id }) = current.take() {
                let check = LinkCheck::new(receiver.incarnation, &subscription, run_id, queue.last_probe());
                let error = tokio::select! {
                    () = receiver.run(queue) => Error::backend("Redis or the network has closed the connection"),
                    error = self.maintain(&*subscription) => error,
                    error = check.run(&link) => error,
                };
                receiver.faults.connection_lost();
                if reconnect.should_log_loss(since, &error) {
                    tracing::warn!("the subscriber connection to Redis is lost: {error:?}");
                }
            }
            lock(&self.table).set_offline();
            reconnect.back_off(since).await;
            let connection = reconnect.connect(|| self.open(&*driver, receiver.incarnation)).await;
            since = Instant::now();
            lock(&self.table).set_online(|group| self.deliver.has_members(group));
            match self.restore(&connection).await {
                Ok(groups) => {
                    if reconnect.should_log_recovery() {
                        tracing::info!(groups, "messages of other nodes are received again");
                    }
                    current = Some(connection);
                }
                // The server accepts connections and refuses subscriptions. The loop marks the table offline, so that
                // no join waits, and pauses before the next attempt.
                Err(error) => {
                    receiver.faults.connection_lost();
                    if reconnect.should_log_loss(since, &error) {
                        tracing::warn!("the groups of this node cannot be subscribed to: {error:?}");
                    }
                }
            }
        }
    }

    /// Subscribes to all groups after a reconnect, then sends a resync to all connections. Returns the number of
    /// groups.
    async fn restore(&self, connection: &SubscriberConnection) -> Result<usize> {
        while lock(&self.table).has_requests() {
            self.apply_changes(&*connection.subscription).await?;
        }
        let groups = lock(&self.table).len();
        self.deliver.resync(None, ResyncReason::Backend);
        Ok(groups)
    }

    /// Applies changes of the table to a connection until it fails; returns the error.
    async fn maintain(&self, subscription: &dyn Subscription) -> Error {
        let changes = async {
            loop {
                self.wait_for_changes().await;
                match self.apply_changes(subscription).await {
                    Ok(count) => {
                        let groups = u32::try_from(count).unwrap_or(u32::MAX).min(MAX_PAUSE_GROUPS);
                        sleep(PAUSE_PER_GROUP * groups).await;
                    }
                    Err(error) => return error,
                }
            }
        };
        let pings = async {
            loop {
                sleep_until(Instant::now() + PING_EVERY).await;
                if let Err(error) = subscription.ping().await {
                    return error;
                }
            }
        };
        tokio::select! {
            error = changes => error,
            error = pings => error,
        }
    }

    /// Waits until a subscription is requested or a lingering one must be checked.
    async fn wait_for_changes(&self) {
        let (has_requests, due) = {
            let table = lock(&self.table);
            (table.has_requests(), table.next_due())
        };
        match due {
            _ if has_requests => {}
            Some(due) => {
                let _ = timeout(due.saturating_duration_since(Instant::now()), self.changed.notified()).await;
            }
            None => self.changed.notified().await,
        }
    }

    /// Applies the next changes of the table; returns the number of groups that were subscribed to.
    async fn apply_changes(&self, subscription: &dyn Subscription) -> Result<usize> {
        let has_members = |group: &GroupName| self.deliver.has_members(group);
        let changes = lock(&self.table).next_changes(Instant::now(), MAX_GROUPS_PER_COMMAND, has_members);
        if !changes.subscribe.is_empty() {
            subscription.subscribe(changes.subscribe.iter().cloned().map(Channel::Group).collect()).await?;
            lock(&self.table).confirm_subscribed(&changes.subscribe, Instant::now(), has_members);
        }
        if !changes.unsubscribe.is_empty() {
            subscription.unsubscribe(changes.unsubscribe.iter().cloned().map(Channel::Group).collect()).await?;
            lock(&self.table).confirm_unsubscribed(&changes.unsubscribe);
        }
        Ok(changes.subscribe.len())
    }
}

/// A subscriber connection and the queue of what it receives.
pub(crate) struct SubscriberConnection {
    subscription: Arc<dyn Subscription>,
    queue: ReceiveQueue,
    /// The run id of its server.
    run_id: Option<String>,
}

impl SubscriberConnection {
    pub(crate) fn subscription(&self) -> &dyn Subscription {
        &*self.subscription
    }
}
