//! The link that receives, and the task that keeps it in line with what this node wants to hear.

#[cfg(all(test, feature = "model"))]
mod model;
mod table;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::receive_task::{BusReceiver, ReceiveQueue};
use crate::backend::redis::command_link::PING_EVERY;
use crate::backend::redis::driver::{Driver, Subscription};
use crate::backend::redis::keys::Channel;
use crate::backend::redis::reconnect::Reconnect;
use crate::backend::{Async, Deliver, ResyncReason};
use crate::error::{Error, Result};
use crate::id::GroupName;
use crate::sync::{Mutex, lock};
use table::{SubscribeOutcome, SubscriptionTable};

/// So many groups are asked for at once.
const MOST: usize = 5_000;
/// After asking for groups the task rests, the longer the more there were: a crowd that joins many groups costs few round
/// trips, and one who joins waits for one.
const REST: Duration = Duration::from_millis(1);
const LONGEST_REST: u32 = 200;

/// What this node hears.
pub(crate) struct Subscriptions {
    channels: Mutex<SubscriptionTable>,
    bell: Notify,
    deliver: Arc<dyn Deliver>,
}

impl Subscriptions {
    pub(crate) fn new(deliver: Arc<dyn Deliver>) -> Self {
        Self { channels: Mutex::default(), bell: Notify::new(), deliver }
    }

    /// A connection is in `group` now; the future ends when it is heard, or cannot be.
    pub(crate) fn subscribe(&self, group: &GroupName) -> Option<Async<'static, Result<()>>> {
        let deaf = || Error::backend("the other nodes cannot be heard now");
        let asked = lock(&self.channels).subscribe(group);
        match asked {
            SubscribeOutcome::Subscribed => None,
            SubscribeOutcome::Wait(heard, first) => {
                if first {
                    self.bell.notify_one();
                }
                // The link may be lost meanwhile.
                Some(Box::pin(async move { heard.await.map_err(|_| deaf()) }))
            }
            SubscribeOutcome::Down => Some(Box::pin(std::future::ready(Err(deaf())))),
        }
    }

    /// The last connection may have left `group`.
    pub(crate) fn unsubscribe(&self, group: &GroupName) {
        if lock(&self.channels).unsubscribe(group, Instant::now(), |group| self.deliver.has_members(group)) {
            self.bell.notify_one();
        }
    }

    /// Opens the first link.
    ///
    /// # Errors
    /// When Redis cannot be reached.
    pub(crate) async fn start(&self, driver: &dyn Driver, origin: u64) -> Result<SubscriberConnection> {
        let heard = self.open(driver, origin).await?;
        lock(&self.channels).set_up(|group| self.deliver.has_members(group));
        Ok(heard)
    }

    async fn open(&self, driver: &dyn Driver, origin: u64) -> Result<SubscriberConnection> {
        let (events, inbound) = ReceiveQueue::new();
        let link = driver.subscription(events).await?;
        // As with the link for commands: a Redis that still reads its file lets anybody subscribe, and refuses all else.
        link.ping().await?;
        link.subscribe(vec![Channel::Users, Channel::Everyone, Channel::Nodes, Channel::Node(origin)]).await?;
        Ok(SubscriberConnection { link, inbound })
    }

    /// Hears, for as long as it runs.
    pub(crate) async fn run(
        self: Arc<Self>,
        first: Option<SubscriberConnection>,
        driver: Arc<dyn Driver>,
        reader: Arc<BusReceiver>,
    ) {
        let mut reconnect = Reconnect::new("the other nodes cannot be heard");
        let mut link = first;
        // A task that was started again after a panic has no link, and rests as after one that lived shortly.
        let mut since = Instant::now();
        loop {
            if let Some(SubscriberConnection { link, inbound }) = link.take() {
                let error = tokio::select! {
                    () = reader.run(inbound) => Error::backend("Redis has closed it, or the network"),
                    error = self.follow(&*link) => error,
                };
                reader.faults.link_lost();
                if reconnect.should_log_loss(since, &error) {
                    tracing::warn!("the link that hears the other nodes is lost: {error:?}");
                }
            }
            lock(&self.channels).set_down();
            reconnect.back_off(since).await;
            let heard = reconnect.connect(|| self.open(&*driver, reader.origin)).await;
            since = Instant::now();
            lock(&self.channels).set_up(|group| self.deliver.has_members(group));
            match self.restore(&heard).await {
                Ok(groups) => {
                    if reconnect.should_log_recovery() {
                        tracing::info!(groups, "this node hears the other nodes again");
                    }
                    link = Some(heard);
                }
                // A server that takes links and refuses what they are for: it is not to be asked again at once, and nobody
                // waits for it meanwhile.
                Err(error) => {
                    reader.faults.link_lost();
                    if reconnect.should_log_loss(since, &error) {
                        tracing::warn!("the groups of this node cannot be heard: {error:?}");
                    }
                }
            }
        }
    }

    /// Hears again what was heard before, then tells everyone that there was a gap; says how many groups it knows.
    async fn restore(&self, heard: &SubscriberConnection) -> Result<usize> {
        while lock(&self.channels).has_requests() {
            self.act(&*heard.link).await?;
        }
        let groups = lock(&self.channels).len();
        self.deliver.resync(None, ResyncReason::Backend);
        Ok(groups)
    }

    /// Keeps a link in line with what is wanted; ends when it is dead, with what it has met.
    async fn follow(&self, link: &dyn Subscription) -> Error {
        let asked = async {
            loop {
                self.wait().await;
                match self.act(link).await {
                    Ok(count) => sleep(REST * u32::try_from(count).unwrap_or(u32::MAX).min(LONGEST_REST)).await,
                    Err(error) => return error,
                }
            }
        };
        let alive = async {
            loop {
                sleep_until(Instant::now() + PING_EVERY).await;
                if let Err(error) = link.ping().await {
                    return error;
                }
            }
        };
        tokio::select! {
            error = asked => error,
            error = alive => error,
        }
    }

    /// Waits until something is to be asked for, or looked at.
    async fn wait(&self) {
        let (asked, due) = {
            let channels = lock(&self.channels);
            (channels.has_requests(), channels.next_due())
        };
        match due {
            _ if asked => {}
            Some(due) => {
                let _ = timeout(due.saturating_duration_since(Instant::now()), self.bell.notified()).await;
            }
            None => self.bell.notified().await,
        }
    }

    /// Asks for what is wanted and leaves what is not, once; says how many groups it asked for.
    async fn act(&self, link: &dyn Subscription) -> Result<usize> {
        let wants = |group: &GroupName| self.deliver.has_members(group);
        let plan = lock(&self.channels).next_changes(Instant::now(), MOST, wants);
        if !plan.subscribe.is_empty() {
            link.subscribe(plan.subscribe.iter().cloned().map(Channel::Group).collect()).await?;
            lock(&self.channels).confirm_subscribed(&plan.subscribe, Instant::now(), wants);
        }
        if !plan.unsubscribe.is_empty() {
            link.unsubscribe(plan.unsubscribe.iter().cloned().map(Channel::Group).collect()).await?;
            lock(&self.channels).confirm_unsubscribed(&plan.unsubscribe);
        }
        Ok(plan.subscribe.len())
    }
}

/// A link that hears.
pub(crate) struct SubscriberConnection {
    link: Arc<dyn Subscription>,
    inbound: ReceiveQueue,
}
