//! The receive task: reads payloads of other nodes in order, delivers their messages and answers their questions.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout};

use super::answer_tasks::AnswerTasks;
use super::due::wait_until;
use super::loss_tracker::LossTracker;
use super::payload::{BusPayload, Control, UnreadablePayload};
use super::publish_task::BusSender;
use super::receive_queue::ReceiveQueue;
use super::sequence::SequenceTracker;
use crate::backend::redis::driver::SubscriptionEvent;
use crate::backend::redis::keys::Channel;
use crate::backend::redis::membership::Peers;
use crate::backend::redis::metrics::FaultCounters;
use crate::backend::{Answer, Async, Deliver, Question, ResyncReason};
use crate::message::OutboundMessage;

/// Time that the task waits for a worker whose queue is full. Then it drops the message for this worker: other messages
/// must not wait, and Redis closes the connection of a subscriber that falls far behind.
const DELIVERY_TIMEOUT: Duration = Duration::from_millis(50);
/// Time after such a timeout during which the task waits for no worker, so that a stuck worker delays the others by one
/// timeout per period.
const NO_WAIT_PERIOD: Duration = Duration::from_secs(1);
/// Number of items in one part of an answer; bounds the size of a payload.
const MAX_ANSWER_ITEMS: usize = 1_000;
/// Interval at which idle sequences are removed.
const SWEEP_INTERVAL: Duration = Duration::from_secs(30);

/// Handles the payloads that this node receives.
pub(crate) struct BusReceiver {
    /// The incarnation of this node, which also receives its own payloads.
    pub(crate) incarnation: u64,
    pub(crate) deliver: Arc<dyn Deliver>,
    pub(crate) sender: Arc<BusSender>,
    pub(crate) peers: Arc<Peers>,
    pub(crate) faults: Arc<FaultCounters>,
}

impl BusReceiver {
    /// Handles payloads until the connection is lost. The payloads that are still queued then are covered by the resync
    /// after the reconnect.
    pub(super) async fn run(&self, mut queue: ReceiveQueue) {
        let (answers, mut undelivered) = AnswerTasks::new();
        let mut state = ReceiveState {
            answers,
            sequences: SequenceTracker::default(),
            losses: LossTracker::default(),
            last_sweep: Instant::now(),
            no_wait_until: None,
        };
        loop {
            let due = state.losses.due_resync();
            let event = tokio::select! {
                biased;
                event = queue.next() => event,
                Some(channel) = undelivered.recv() => {
                    self.faults.overrun();
                    state.losses.record(channel);
                    self.send_resyncs(&mut state);
                    continue;
                }
                // A resync is sent even if no other payload arrives.
                () = wait_until(due) => {
                    self.send_resyncs(&mut state);
                    continue;
                }
            };
            match event {
                Some(SubscriptionEvent::Message(channel, payload)) => self.receive(&mut state, &channel, payload).await,
                Some(SubscriptionEvent::Unsubscribed(channel)) => state.sequences.forget(&channel),
                Some(SubscriptionEvent::Lost) | None => return,
            }
            for channel in queue.take_overrun() {
                self.faults.overrun();
                state.losses.record(channel);
            }
            self.send_resyncs(&mut state);
        }
    }

    fn send_resyncs(&self, state: &mut ReceiveState) {
        if let Some(groups) = state.losses.take_due(Instant::now()) {
            self.deliver.resync(groups.as_deref(), ResyncReason::Backend);
        }
    }

    async fn receive(&self, state: &mut ReceiveState, channel: &Channel, payload: Bytes) {
        let now = Instant::now();
        match BusPayload::read(channel, &payload) {
            Ok(BusPayload::Batch(header, _)) if header.sender == self.incarnation => {}
            Ok(BusPayload::Batch(header, messages)) => {
                let check = state.sequences.check(channel, &header, messages.len(), now);
                if check.gap {
                    self.faults.gap();
                    state.losses.record(channel.clone());
                }
                for message in messages.into_iter().skip(check.duplicates) {
                    self.deliver(state, channel, message).await;
                }
            }
            Ok(BusPayload::Unsequenced(messages)) => {
                for message in messages {
                    self.deliver(state, channel, message).await;
                }
            }
            Ok(BusPayload::External(message)) => self.deliver(state, channel, message).await,
            Ok(BusPayload::Control(sender, _)) if sender == self.incarnation => {}
            Ok(BusPayload::Control(sender, control)) => self.control(state, sender, control),
            Err(UnreadablePayload::Lossy(reason)) => {
                self.faults.unreadable(|| format!("a payload is {reason}"), channel);
                state.losses.record(channel.clone());
            }
            Err(UnreadablePayload::External(reason)) => {
                self.faults.unreadable(|| format!("an external envelope is not valid: {reason}"), channel);
            }
        }
        if now.saturating_duration_since(state.last_sweep) > SWEEP_INTERVAL {
            state.last_sweep = now;
            state.sequences.sweep(now);
        }
    }

    async fn deliver(&self, state: &mut ReceiveState, channel: &Channel, message: OutboundMessage) {
        let Some(queued) = self.deliver.deliver(message) else { return };
        let now = Instant::now();
        // The task does not know which worker is slow, so a delivery that succeeds meanwhile does not end the period.
        let in_no_wait_period = state.no_wait_until.is_some_and(|until| now < until);
        let patience = if in_no_wait_period { Duration::ZERO } else { DELIVERY_TIMEOUT };
        if timeout(patience, queued).await.is_err() {
            if !in_no_wait_period {
                state.no_wait_until = Some(Instant::now() + NO_WAIT_PERIOD);
            }
            self.faults.overrun();
            state.losses.record(channel.clone());
        }
    }

    fn control(&self, state: &mut ReceiveState, sender: u64, control: Control) {
        match control {
            Control::Hello => self.peers.hello(sender),
            Control::Goodbye => {
                state.sequences.forget_sender(sender);
                self.peers.goodbye(sender);
            }
            Control::Lost => {
                self.faults.gap();
                state.losses.record_all();
            }
            // Only the node itself publishes probes on its channel, and `receive_queue` takes them.
            Control::Probe(_) => {}
            Control::Ask(number, question) => self.answer(&state.answers, sender, number, question),
            Control::Answer { number, answer, more } => self.peers.answer(sender, number, answer, more),
        }
    }

    /// Answers a question. The requested change begins now, before later payloads are handled.
    fn answer(&self, answers: &AnswerTasks, sender: u64, number: u64, question: Question) {
        let (bus, incarnation) = (self.sender.clone(), self.incarnation);
        let delivers = match &question {
            Question::Deliver(message) => Some(Channel::of(&message.to)),
            _ => None,
        };
        let mut answering = self.deliver.answer(question);
        let send = move |answer| {
            let parts = split(answer);
            let last = parts.len() - 1;
            for (index, answer) in parts.into_iter().enumerate() {
                let control = Control::Answer { number, answer, more: index < last };
                bus.send_control(Channel::Node(sender), control.write(incarnation));
            }
        };
        match begin(&mut answering) {
            Some(answer) => send(answer),
            None => answers.send_later(answering, delivers, send),
        }
    }
}

/// The state of the task for one subscriber connection.
struct ReceiveState {
    answers: AnswerTasks,
    sequences: SequenceTracker,
    losses: LossTracker,
    last_sweep: Instant,
    /// End of the period in which the task waits for no worker.
    no_wait_until: Option<Instant>,
}

/// Polls a future once so that it begins. Returns its result if it is ready; otherwise the caller awaits the future.
fn begin<T>(future: &mut Async<'static, T>) -> Option<T> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => Some(value),
        std::task::Poll::Pending => None,
    }
}

/// Splits a long answer into parts.
fn split(answer: Answer) -> Vec<Answer> {
    match answer {
        Answer::Members(users) if users.len() > MAX_ANSWER_ITEMS => {
            users.chunks(MAX_ANSWER_ITEMS).map(|users| Answer::Members(users.to_vec())).collect()
        }
        Answer::Connections(ids) if ids.len() > MAX_ANSWER_ITEMS => {
            ids.chunks(MAX_ANSWER_ITEMS).map(|ids| Answer::Connections(ids.to_vec())).collect()
        }
        answer => vec![answer],
    }
}
