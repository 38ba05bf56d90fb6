//! The task that sends what waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::send_queue::{PublishRound, PushOutcome, SendQueue};
use crate::backend::Publish;
use crate::backend::redis::command_link::CommandLink;
use crate::backend::redis::keys::Channel;
use crate::log_throttle::LogThrottle;
use crate::message::OutboundMessage;
use crate::sync::{Mutex, lock};

/// So many marks go out together.
const MARKS: usize = 5_000;
/// After a failure on a link that lives: an error of Redis itself, which may pass.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// So long a sender waits while too much waits already. Then its message reaches this node only, and the others are told:
/// a Redis that hangs does not hold up those who are here.
const PATIENCE: Duration = Duration::from_millis(50);

/// What waits, with the bells between who fills and who empties it.
#[derive(Debug)]
pub(crate) struct BusSender {
    waiting: Mutex<SendQueue>,
    /// Rung when something waits.
    filled: Notify,
    /// Rung when there is room again.
    emptied: Notify,
    /// Something is on its way.
    sending: AtomicBool,
}

impl BusSender {
    pub(crate) fn new(origin: u64) -> Self {
        Self {
            waiting: Mutex::new(SendQueue::new(origin)),
            filled: Notify::new(),
            emptied: Notify::new(),
            sending: AtomicBool::new(false),
        }
    }

    /// Adds a message; waits while too much waits already.
    pub(crate) fn publish(self: &Arc<Self>, message: &OutboundMessage) -> Publish {
        if self.push(message) {
            return Publish::Done(Ok(()));
        }
        let (sender, message) = (self.clone(), message.clone());
        Publish::Wait(Box::pin(async move {
            let taken = async {
                loop {
                    let emptied = sender.emptied.notified();
                    if sender.push(&message) {
                        return;
                    }
                    emptied.await;
                }
            };
            if timeout(PATIENCE, taken).await.is_err() {
                lock(&sender.waiting).lose(&message, Instant::now());
            }
            Ok(())
        }))
    }

    /// False when it is full.
    fn push(&self, message: &OutboundMessage) -> bool {
        let pushed = lock(&self.waiting).push(message, Instant::now());
        if pushed == PushOutcome::First {
            self.filled.notify_one();
        }
        pushed != PushOutcome::Full
    }

    /// Adds a payload that is none of messages.
    pub(crate) fn send_control(&self, channel: Channel, payload: bytes::Bytes) {
        lock(&self.waiting).say(channel, payload);
        self.filled.notify_one();
    }

    /// Adds a question for all nodes; one that delivers a message is missed like it when it is lost.
    pub(crate) fn ask(&self, payload: bytes::Bytes, delivers: Option<&OutboundMessage>) {
        lock(&self.waiting).ask(payload, delivers, Instant::now());
        self.filled.notify_one();
    }

    /// Counts a message that does not go to the other nodes: whoever should have got it will be told.
    pub(crate) fn mark_lost(&self, message: &OutboundMessage) {
        lock(&self.waiting).lose(message, Instant::now());
    }

    /// Whether all that waited has been said.
    pub(crate) fn is_idle(&self) -> bool {
        lock(&self.waiting).is_empty() && !self.sending.load(Ordering::SeqCst)
    }

    /// Sends what waits, for as long as it runs.
    pub(crate) async fn run(self: Arc<Self>, link: Arc<CommandLink>) {
        let mut changes = link.watch();
        let throttle = LogThrottle::default();
        if self.sending.swap(false, Ordering::SeqCst) {
            // It panicked with a batch on its way, and what that was is gone with it.
            lock(&self.waiting).lose_all();
        }
        loop {
            let Some(commands) = link.get() else {
                self.set_down();
                if changes.changed().await.is_err() {
                    return;
                }
                continue;
            };
            {
                let mut waiting = lock(&self.waiting);
                waiting.set_up(Instant::now());
                // Whoever came while this node could not be heard, or took it for gone, knows it now.
                waiting.greet();
            }
            while link.get().is_some_and(|current| Arc::ptr_eq(&current, &commands)) {
                let mut batch = self.next();
                if batch.is_empty() {
                    self.rest(&mut changes).await;
                    continue;
                }
                let published = commands.publish(std::mem::take(&mut batch.messages)).await;
                self.sending.store(false, Ordering::SeqCst);
                if let Err(error) = published {
                    if let Some(suppressed) = throttle.permit() {
                        tracing::warn!(suppressed, "messages for other nodes may be lost: {error:?}");
                    }
                    lock(&self.waiting).fail(&batch, Instant::now());
                    self.set_down();
                    link.suspect();
                    sleep(AFTER_ERROR).await;
                    break;
                }
            }
        }
    }

    fn next(&self) -> PublishRound {
        let batch = {
            let mut waiting = lock(&self.waiting);
            let mut batch = waiting.take();
            // Not only when there is nothing else: a channel that is silent waits for none that is busy.
            batch.append(waiting.take_marks(Instant::now(), MARKS));
            self.sending.store(!batch.is_empty(), Ordering::SeqCst);
            batch
        };
        self.emptied.notify_waiters();
        batch
    }

    fn set_down(&self) {
        lock(&self.waiting).set_down(Instant::now());
        self.emptied.notify_waiters();
    }

    async fn rest<T>(&self, changes: &mut tokio::sync::watch::Receiver<T>) {
        let due = lock(&self.waiting).next_due();
        let due = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.filled.notified() => {}
            () = due => {}
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
    async fn what_was_on_its_way_when_the_task_ended_is_told_to_be_lost() {
        let redis = StubServer::new(Duration::from_secs(5));
        let driver = redis.driver();
        let link = Arc::new(CommandLink::new(driver.commands().await.unwrap()));
        let lost = Arc::new(Notify::new());
        let told = lost.clone();
        let events = Arc::new(move |event| {
            if let SubscriptionEvent::Message(channel, payload) = event
                && matches!(BusPayload::read(&channel, &payload), Ok(BusPayload::Control(1, Control::Lost)))
            {
                told.notify_one();
            }
        });
        let hearing = driver.subscription(events).await.unwrap();
        hearing.subscribe(vec![Channel::Nodes]).await.unwrap();

        let sender = Arc::new(BusSender::new(1));
        let running = tokio::spawn(sender.clone().run(link.clone()));
        while !sender.sending.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
        assert!(sender.sending.load(Ordering::SeqCst), "it ended in the middle");

        let running = tokio::spawn(sender.clone().run(link));
        timeout(Duration::from_secs(5), lost.notified()).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        assert!(sender.is_idle());
        running.abort();
    }
}
