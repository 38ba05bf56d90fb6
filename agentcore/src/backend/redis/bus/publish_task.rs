//! The publish task: publishes queued messages, one round trip at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

use super::due::wait_until;
use super::send_queue::{PublishRound, PushOutcome, SendQueue};
use crate::backend::Publish;
use crate::backend::redis::command_link::CommandLink;
use crate::backend::redis::keys::Channel;
use crate::log_throttle::LogThrottle;
use crate::message::OutboundMessage;
use crate::sync::{Mutex, lock};

/// Number of watermarks that are published in one round.
const MAX_WATERMARKS: usize = 5_000;
/// Pause after Redis has returned an error on a connection that works; the cause may pass.
const ERROR_PAUSE: Duration = Duration::from_millis(100);
/// Time that a sender waits while the queue is full. Then its message reaches this node only and is reported as lost to
/// the others, so that a Redis that hangs does not block local delivery.
const QUEUE_TIMEOUT: Duration = Duration::from_millis(50);

/// Queues messages for the other nodes and publishes them.
#[derive(Debug)]
pub(crate) struct BusSender {
    queue: Mutex<SendQueue>,
    /// Notified when something is queued.
    filled: Notify,
    /// Notified when the queue has space again.
    emptied: Notify,
    /// Whether a round is being published.
    publishing: AtomicBool,
}

impl BusSender {
    /// Creates the sender of a node.
    pub(crate) fn new(incarnation: u64) -> Self {
        Self {
            queue: Mutex::new(SendQueue::new(incarnation)),
            filled: Notify::new(),
            emptied: Notify::new(),
            publishing: AtomicBool::new(false),
        }
    }

    /// Queues a message; waits while the queue is full.
    pub(crate) fn publish(self: &Arc<Self>, message: &OutboundMessage) -> Publish {
        if self.push(message) {
            return Publish::Done(Ok(()));
        }
        let (sender, message) = (self.clone(), message.clone());
        Publish::Wait(Box::pin(async move {
            let queued = async {
                loop {
                    let emptied = sender.emptied.notified();
                    if sender.push(&message) {
                        return;
                    }
                    emptied.await;
                }
            };
            if timeout(QUEUE_TIMEOUT, queued).await.is_err() {
                sender.mark_lost(&message);
            }
            Ok(())
        }))
    }

    /// Returns false if the queue is full.
    fn push(&self, message: &OutboundMessage) -> bool {
        let outcome = lock(&self.queue).push(message, Instant::now());
        if outcome == PushOutcome::First {
            self.filled.notify_one();
        }
        outcome != PushOutcome::Full
    }

    /// Queues a control message.
    pub(crate) fn send_control(&self, channel: Channel, payload: Bytes) {
        lock(&self.queue).push_control(channel, payload);
        self.filled.notify_one();
    }

    /// Queues a question for all nodes. If it delivers a message, `delivers` is that message, whose loss is reported
    /// like that of any message.
    pub(crate) fn ask(&self, payload: Bytes, delivers: Option<&OutboundMessage>) {
        lock(&self.queue).push_question(payload, delivers, Instant::now());
        self.filled.notify_one();
    }

    /// Reports a message as lost without queueing it.
    pub(crate) fn mark_lost(&self, message: &OutboundMessage) {
        lock(&self.queue).mark_lost(message, Instant::now());
    }

    /// Returns whether everything queued has been published.
    pub(crate) fn is_idle(&self) -> bool {
        lock(&self.queue).is_empty() && !self.publishing.load(Ordering::SeqCst)
    }

    /// Runs the publish task; the supervisor starts it again after a panic.
    pub(crate) async fn run(self: Arc<Self>, link: Arc<CommandLink>) {
        let mut changes = link.watch();
        let throttle = LogThrottle::default();
        let mut last_server = None;
        if self.publishing.swap(false, Ordering::SeqCst) {
            // The previous task panicked while it published a round, whose contents are unknown now.
            lock(&self.queue).mark_any_lost();
        }
        loop {
            let Some(commands) = link.get() else {
                self.set_offline();
                if changes.changed().await.is_err() {
                    return;
                }
                continue;
            };
            {
                let mut queue = lock(&self.queue);
                queue.set_online(Instant::now());
                let server = commands.run_id().map(str::to_owned);
                // Other nodes may have moved to this server earlier, and missed what this node published at the old one.
                if last_server.replace(server.clone()).is_some_and(|last| last.is_none() || last != server) {
                    queue.mark_any_lost();
                }
                // For nodes that joined while this node could not receive their greeting, and nodes that believe it
                // dead.
                queue.push_hello();
            }
            while link.get().is_some_and(|current| Arc::ptr_eq(&current, &commands)) {
                let mut round = self.take_round();
                if round.is_empty() {
                    self.wait_for_work(&mut changes).await;
                    continue;
                }
                let published = commands.publish(std::mem::take(&mut round.payloads)).await;
                self.publishing.store(false, Ordering::SeqCst);
                if let Err(error) = published {
                    if let Some(suppressed) = throttle.permit() {
                        tracing::warn!(suppressed, "messages to other nodes may be lost: {error:?}");
                    }
                    lock(&self.queue).fail(&round, Instant::now());
                    self.set_offline();
                    link.suspect();
                    sleep(ERROR_PAUSE).await;
                    break;
                }
            }
        }
    }

    fn take_round(&self) -> PublishRound {
        let round = {
            let mut queue = lock(&self.queue);
            let mut round = queue.take();
            // In every round: an idle channel must not wait until busy ones are idle too.
            round.append(queue.take_watermarks(Instant::now(), MAX_WATERMARKS));
            self.publishing.store(!round.is_empty(), Ordering::SeqCst);
            round
        };
        self.emptied.notify_waiters();
        round
    }

    fn set_offline(&self) {
        lock(&self.queue).set_offline(Instant::now());
        self.emptied.notify_waiters();
    }

    /// Waits until something is queued, a watermark is due or the connection changes.
    async fn wait_for_work<T>(&self, changes: &mut watch::Receiver<T>) {
        let due = lock(&self.queue).next_due();
        tokio::select! {
            () = self.filled.notified() => {}
            () = wait_until(due) => {}
            _ = changes.changed() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

    use super::super::payload::{BusPayload, Control};
    use super::*;
    use crate::backend::redis::driver::{Driver, StubServer, SubscriptionEvent};

    #[tokio::test(start_paused = true)]
    async fn a_round_in_flight_when_the_task_ends_is_reported_as_lost() {
        let redis = StubServer::new(Duration::from_secs(5));
        let driver = redis.driver();
        let link = Arc::new(CommandLink::new(driver.commands().await.unwrap()));
        let reported = Arc::new(Notify::new());
        let report = reported.clone();
        let events = Arc::new(move |event| {
            if let SubscriptionEvent::Message(channel, payload) = event
                && matches!(BusPayload::read(&channel, &payload), Ok(BusPayload::Control(1, Control::Lost)))
            {
                report.notify_one();
            }
        });
        let subscription = driver.subscription(events).await.unwrap();
        subscription.subscribe(vec![Channel::Nodes]).await.unwrap();

        let sender = Arc::new(BusSender::new(1));
        let running = tokio::spawn(sender.clone().run(link.clone()));
        while !sender.publishing.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
        assert!(sender.publishing.load(Ordering::SeqCst), "the task ended during a round");

        let running = tokio::spawn(sender.clone().run(link));
        timeout(Duration::from_secs(5), reported.notified()).await.unwrap();
        timeout(Duration::from_secs(5), async {
            while !sender.is_idle() {
                sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .unwrap();
        running.abort();
    }
}
