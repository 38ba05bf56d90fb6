//! What comes from the other nodes: read in order, delivered, answered.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::loss_tracker::LossTracker;

use super::payload::{BusPayload, Control, UnreadablePayload};
use super::publish_task::BusSender;
use super::sequence::SequenceTracker;
use crate::backend::redis::driver::{EventSink, SubscriptionEvent};
use crate::backend::redis::keys::Channel;
use crate::backend::redis::membership::Peers;
use crate::backend::redis::metrics::FaultCounters;
use crate::backend::{Answer, Async, Deliver, Question, ResyncReason};
use crate::message::OutboundMessage;
use crate::sync::{Mutex, lock};

/// So many bytes wait at most to be read.
const BOUND: usize = 16 << 20;
/// So long the reader waits for a worker that does not keep up. Then what is for it is dropped: the others must not wait,
/// and Redis cuts the link of a node that falls far behind.
const PATIENCE: Duration = Duration::from_millis(50);
/// After it has waited in vain it does not wait for so long, for any of them: a worker that is stuck costs the others one
/// wait in this time, however much is for it.
const IMPATIENT: Duration = Duration::from_secs(1);
/// A part of an answer has so many items at most.
const PAGE: usize = 1_000;
/// So often streams are looked through for silent ones.
const SWEEP: Duration = Duration::from_secs(30);

/// What one link has received and nobody has read yet.
#[derive(Debug)]
pub(super) struct ReceiveQueue {
    waiting: Arc<ReceiveBacklog>,
    events: mpsc::UnboundedReceiver<SubscriptionEvent>,
}

#[derive(Debug, Default)]
struct ReceiveBacklog {
    bytes: AtomicUsize,
    /// SubscriptionTable of which something was dropped because too much waited.
    overrun: Mutex<HashSet<Channel>>,
}

impl ReceiveQueue {
    /// The queue, and the end of it that a link fills.
    pub(super) fn new() -> (EventSink, Self) {
        let waiting = Arc::new(ReceiveBacklog::default());
        let (sender, events) = mpsc::unbounded_channel();
        let filling = waiting.clone();
        let fill = move |event: SubscriptionEvent| {
            if let SubscriptionEvent::Message(channel, payload) = &event {
                if filling.bytes.load(Ordering::Relaxed) > BOUND {
                    lock(&filling.overrun).insert(channel.clone());
                    return;
                }
                filling.bytes.fetch_add(payload.len(), Ordering::Relaxed);
            }
            let _ = sender.send(event);
        };
        (Arc::new(fill), Self { waiting, events })
    }
}

/// Reads what links receive.
pub(crate) struct BusReceiver {
    pub(crate) origin: u64,
    pub(crate) deliver: Arc<dyn Deliver>,
    pub(crate) sender: Arc<BusSender>,
    pub(crate) peers: Arc<Peers>,
    pub(crate) faults: Arc<FaultCounters>,
}

impl BusReceiver {
    /// Reads until the link is lost. What was not read then is covered by the resync that follows.
    pub(super) async fn run(&self, mut inbound: ReceiveQueue) {
        let (streams, missing) = (SequenceTracker::default(), LossTracker::default());
        let mut reading = ReceiveState { streams, missing, swept: Instant::now(), behind_until: None };
        loop {
            let next = inbound.events.recv();
            let event = match reading.missing.due() {
                None => next.await,
                // What was lost is told also when nothing more comes.
                Some(due) => match timeout_at(due, next).await {
                    Ok(event) => event,
                    Err(_) => {
                        self.tell(&mut reading);
                        continue;
                    }
                },
            };
            match event {
                Some(SubscriptionEvent::Message(channel, payload)) => {
                    inbound.waiting.bytes.fetch_sub(payload.len(), Ordering::Relaxed);
                    self.read(&mut reading, &channel, payload).await;
                }
                Some(SubscriptionEvent::Unsubscribed(channel)) => reading.streams.forget(&channel),
                Some(SubscriptionEvent::Lost) | None => return,
            }
            let overrun = std::mem::take(&mut *lock(&inbound.waiting.overrun));
            for channel in overrun {
                self.faults.overrun();
                reading.missing.note(channel);
            }
            self.tell(&mut reading);
        }
    }

    /// Tells connections what they may have missed, if it is time.
    fn tell(&self, reading: &mut ReceiveState) {
        if let Some(gaps) = reading.missing.take(Instant::now()) {
            self.deliver.resync(gaps.as_deref(), ResyncReason::Backend);
        }
    }

    async fn read(&self, reading: &mut ReceiveState, channel: &Channel, payload: Bytes) {
        let now = Instant::now();
        match BusPayload::read(channel, &payload) {
            Ok(BusPayload::Batch(head, _)) if head.origin == self.origin => {}
            Ok(BusPayload::Batch(head, messages)) => {
                let verdict = reading.streams.note(channel, &head, messages.len(), now);
                if verdict.hole {
                    self.faults.gap();
                    reading.missing.note(channel.clone());
                }
                for message in messages.into_iter().skip(verdict.seen) {
                    self.deliver(reading, channel, message).await;
                }
            }
            Ok(BusPayload::Unsequenced(messages)) => {
                for message in messages {
                    self.deliver(reading, channel, message).await;
                }
            }
            Ok(BusPayload::External(message)) => self.deliver(reading, channel, message).await,
            Ok(BusPayload::Control(origin, _)) if origin == self.origin => {}
            Ok(BusPayload::Control(origin, talk)) => self.talk(reading, origin, talk),
            Err(UnreadablePayload::Lossy(what)) => {
                self.faults.unreadable(|| format!("a payload is {what}"), channel);
                reading.missing.note(channel.clone());
            }
            Err(UnreadablePayload::External(why)) => {
                self.faults.unreadable(|| format!("an envelope from outside: {why}"), channel);
            }
        }
        if now.saturating_duration_since(reading.swept) > SWEEP {
            reading.swept = now;
            reading.streams.sweep(now);
        }
    }

    async fn deliver(&self, reading: &mut ReceiveState, channel: &Channel, message: OutboundMessage) {
        let Some(waiting) = self.deliver.deliver(message) else { return };
        let now = Instant::now();
        // Which worker it is that does not keep up is not known here, so what found room meanwhile changes nothing.
        let is_behind = reading.behind_until.is_some_and(|until| now < until);
        let patience = if is_behind { Duration::ZERO } else { PATIENCE };
        if timeout(patience, waiting).await.is_err() {
            if !is_behind {
                reading.behind_until = Some(Instant::now() + IMPATIENT);
            }
            self.faults.overrun();
            reading.missing.note(channel.clone());
        }
    }

    fn talk(&self, reading: &mut ReceiveState, origin: u64, talk: Control) {
        match talk {
            Control::Hello => self.peers.hello(origin),
            Control::Goodbye => {
                reading.streams.forget_origin(origin);
                self.peers.goodbye(origin);
            }
            Control::Lost => {
                self.faults.gap();
                reading.missing.note_all();
            }
            Control::Ask(number, question) => self.answer(origin, number, question),
            Control::Answer { number, answer, more } => self.peers.answer(origin, number, answer, more),
        }
    }

    /// Answers a question: what it asks to be done begins now, in the order of what came.
    fn answer(&self, origin: u64, number: u64, question: Question) {
        let (sender, own) = (self.sender.clone(), self.origin);
        let mut answering = self.deliver.answer(question);
        let say = move |answer| {
            let pages = pages(answer);
            let last = pages.len() - 1;
            for (at, answer) in pages.into_iter().enumerate() {
                let talk = Control::Answer { number, answer, more: at < last };
                sender.send_control(Channel::Node(origin), talk.write(own));
            }
        };
        match poll_once(&mut answering) {
            Some(answer) => say(answer),
            None => drop(tokio::spawn(async move { say(answering.await) })),
        }
    }
}

/// What the reader knows of the link it reads.
struct ReceiveState {
    streams: SequenceTracker,
    /// What was lost, until it is told.
    missing: LossTracker,
    swept: Instant,
    /// No worker is waited for until then.
    behind_until: Option<Instant>,
}

/// Lets a future begin; its result, if it has one at once. It is polled again by whoever awaits it.
fn poll_once<T>(future: &mut Async<'static, T>) -> Option<T> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => Some(value),
        std::task::Poll::Pending => None,
    }
}

fn pages(answer: Answer) -> Vec<Answer> {
    match answer {
        Answer::Members(users) if users.len() > PAGE => {
            users.chunks(PAGE).map(|users| Answer::Members(users.to_vec())).collect()
        }
        Answer::Connections(ids) if ids.len() > PAGE => {
            ids.chunks(PAGE).map(|ids| Answer::Connections(ids.to_vec())).collect()
        }
        answer => vec![answer],
    }
}
