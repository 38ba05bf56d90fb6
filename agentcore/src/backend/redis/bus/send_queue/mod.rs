//! The queue of outgoing messages: numbered, packed into batches, bounded.
//!
//! Any task fills it; the publish task empties it. A message is encoded into a buffer of its channel when it is added.
//! A batch is therefore complete when the connection is free, and contains more messages the longer a round trip takes.

mod channel_queue;
mod due_queue;
mod round;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use channel_queue::{ChannelQueue, PendingBatch};
use due_queue::DueQueue;
pub(super) use round::PublishRound;

use super::payload::{BATCH_HEADER_LEN, BatchHeader, Control, put_record};
use super::sequence::SEQUENCE_IDLE_TIMEOUT;
use crate::backend::redis::keys::Channel;
use crate::message::OutboundMessage;

/// Size in bytes at which a batch is full. A batch with a single message may be longer.
const BATCH_SIZE: usize = 64 << 10;
/// Bytes of all channels together from which the queue accepts no message.
const MAX_QUEUED_BYTES: usize = 4 << 20;
/// Number of channels that are tracked while there is no connection; bounds memory. With more, the loss is
/// reported to all nodes.
const MAX_CHANNELS_OFFLINE: usize = 16_384;
/// Time after the last message of a channel at which its watermark is published.
const WATERMARK_DELAY: Duration = Duration::from_secs(1);

/// The messages and control messages that wait to be published.
#[derive(Debug)]
pub(super) struct SendQueue {
    incarnation: u64,
    channels: HashMap<Channel, ChannelQueue>,
    /// Items in sending order: each channel once per phase, and control messages in between.
    items: VecDeque<QueueItem>,
    /// Number of the current phase. Messages to groups and messages to other recipients alternate in phases, so that
    /// what one task sends to a group and then to a user stays in order. Messages to different groups have no order.
    phase: u64,
    /// Whether the current phase is one of messages to other recipients than groups.
    is_direct: bool,
    queued_bytes: usize,
    /// Channels whose watermark is due; each at most once.
    watermarks: DueQueue,
    /// Channels to be forgotten when they are idle; each at most once.
    idle: DueQueue,
    last_sequence: u64,
    /// Whether there is no connection: new messages are numbered and lost.
    offline: bool,
    /// Whether messages were lost on channels that are no longer tracked: the loss is reported to all nodes first.
    lost_untracked: bool,
    max_channels_offline: usize,
}

/// An item to send.
#[derive(Debug)]
enum QueueItem {
    /// The batches of a channel in one phase.
    Batches(Channel),
    /// An encoded control message.
    Control {
        channel: Channel,
        payload: Bytes,
        /// Whether it carries a message, which has no sequence number: if it is lost, all connections need a resync.
        delivers: bool,
    },
}

/// The result of adding a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PushOutcome {
    /// The message is queued and the queue was empty: the publish task must be woken.
    First,
    /// The message is queued, or lost and will be reported as lost.
    Accepted,
    /// The queue is full.
    Full,
}

impl SendQueue {
    /// Creates the queue of a node that is connected.
    pub(super) fn new(incarnation: u64) -> Self {
        Self::bounded(incarnation, MAX_CHANNELS_OFFLINE)
    }

    fn bounded(incarnation: u64, max_channels_offline: usize) -> Self {
        Self {
            incarnation,
            channels: HashMap::new(),
            items: VecDeque::new(),
            phase: 0,
            is_direct: false,
            queued_bytes: 0,
            watermarks: DueQueue::default(),
            idle: DueQueue::default(),
            last_sequence: 0,
            // A node starts with a connection: messages that are added before the task runs are published by it.
            offline: false,
            lost_untracked: false,
            max_channels_offline,
        }
    }

    /// Adds a message.
    pub(super) fn push(&mut self, message: &OutboundMessage, now: Instant) -> PushOutcome {
        if self.queued_bytes >= MAX_QUEUED_BYTES {
            return PushOutcome::Full;
        }
        self.add(message, now, false)
    }

    /// Numbers a message without queueing it, so that its receivers notice the loss.
    pub(super) fn mark_lost(&mut self, message: &OutboundMessage, now: Instant) {
        self.add(message, now, true);
    }

    fn add(&mut self, message: &OutboundMessage, now: Instant, is_lost: bool) -> PushOutcome {
        let channel = Channel::of(&message.to);
        if self.offline && self.channels.len() >= self.max_channels_offline {
            self.forget_channels();
        }
        let queue = self.channels.entry(channel.clone()).or_insert_with(|| {
            self.last_sequence += 1;
            ChannelQueue::new(self.last_sequence, now)
        });
        queue.last_message = now;
        if !queue.watermark_queued {
            queue.watermark_queued = true;
            self.watermarks.push(now + WATERMARK_DELAY, channel.clone());
        }
        let number = queue.next;
        queue.next += 1;
        if self.offline || is_lost {
            queue.lost = true;
            return PushOutcome::Accepted;
        }
        let was_empty = self.items.is_empty();
        let is_direct = !matches!(channel, Channel::Group(_));
        if !was_empty && is_direct != self.is_direct {
            self.phase += 1;
        }
        self.is_direct = is_direct;
        let phase = self.phase;
        let last = queue.batches.last();
        if last.is_none_or(|batch| batch.phase != phase) {
            self.items.push_back(QueueItem::Batches(channel));
        }
        if last.is_none_or(|batch| batch.phase != phase || batch.end != number || batch.buffer.len() >= BATCH_SIZE) {
            // The header is written when the batch is taken, because only then it is complete.
            let (lost, buffer) = (std::mem::take(&mut queue.lost), vec![0; BATCH_HEADER_LEN]);
            queue.batches.push(PendingBatch { phase, first: number, end: number, lost, buffer });
        }
        if let Some(PendingBatch { buffer, end, .. }) = queue.batches.last_mut() {
            *end = number + 1;
            let before = buffer.len();
            put_record(buffer, message);
            self.queued_bytes += buffer.len() - before;
        }
        if was_empty { PushOutcome::First } else { PushOutcome::Accepted }
    }

    /// Forgets all channels, so that memory does not grow with the channels while there is no connection. Receivers get
    /// a report of the loss, and new sequences later.
    fn forget_channels(&mut self) {
        self.channels.clear();
        self.watermarks.clear();
        self.idle.clear();
        self.lost_untracked = true;
    }

    /// Adds a control message after all queued messages. It is dropped while there is no connection.
    pub(super) fn push_control(&mut self, channel: Channel, payload: Bytes) {
        self.push_item(channel, payload, false);
    }

    /// Adds a question for all nodes, after all queued messages and before later ones. If the question delivers a
    /// message, `delivers` is that message; its loss is reported like that of any message.
    pub(super) fn push_question(&mut self, payload: Bytes, delivers: Option<&OutboundMessage>, now: Instant) {
        match delivers {
            Some(message) if self.offline => self.mark_lost(message, now),
            _ => {
                self.push_item(Channel::Nodes, payload, delivers.is_some());
                self.phase += 1;
            }
        }
    }

    fn push_item(&mut self, channel: Channel, payload: Bytes, delivers: bool) {
        if !self.offline {
            self.queued_bytes += payload.len();
            self.items.push_back(QueueItem::Control { channel, payload, delivers });
        }
    }

    /// Records that messages of any channel may be lost, which is reported to all nodes.
    pub(super) fn mark_any_lost(&mut self) {
        self.lost_untracked = true;
    }

    /// Adds a greeting to all nodes.
    pub(super) fn push_hello(&mut self) {
        self.push_control(Channel::Nodes, Control::Hello.write(self.incarnation));
    }

    /// Takes everything that is queued.
    pub(super) fn take(&mut self) -> PublishRound {
        let mut round = PublishRound::default();
        if !self.offline && std::mem::take(&mut self.lost_untracked) {
            round.payloads.push((Channel::Nodes, Control::Lost.write(self.incarnation)));
            round.carries_unsequenced = true;
        }
        for item in self.items.drain(..) {
            let channel = match item {
                QueueItem::Batches(channel) => channel,
                QueueItem::Control { channel, payload, delivers } => {
                    round.payloads.push((channel, payload));
                    round.carries_unsequenced |= delivers;
                    continue;
                }
            };
            let Some(queue) = self.channels.get_mut(&channel) else { continue };
            let sequence = queue.sequence;
            let phase = queue.batches.first().map_or(0, |batch| batch.phase);
            let count = queue.batches.iter().position(|batch| batch.phase != phase).unwrap_or(queue.batches.len());
            for PendingBatch { first, lost, mut buffer, .. } in queue.batches.drain(..count) {
                let header = BatchHeader { sender: self.incarnation, sequence, first, lost };
                if let Some(space) = buffer.first_chunk_mut() {
                    *space = header.encode();
                }
                round.payloads.push((channel.clone(), buffer.into()));
            }
            round.channels.push(channel);
        }
        self.queued_bytes = 0;
        round
    }

    /// Takes the watermarks that are due, at most `count`, and forgets idle channels.
    pub(super) fn take_watermarks(&mut self, now: Instant, count: usize) -> PublishRound {
        self.forget_idle(now);
        let mut round = PublishRound::default();
        while round.payloads.len() < count
            && let Some(channel) = self.watermarks.pop_due(now)
        {
            let Some(queue) = self.channels.get_mut(&channel) else { continue };
            let is_busy = !queue.batches.is_empty() || (queue.last_message + WATERMARK_DELAY > now && !queue.lost);
            if self.offline || is_busy {
                self.watermarks.push(now + WATERMARK_DELAY, channel);
                continue;
            }
            let (sequence, lost) = (queue.sequence, std::mem::take(&mut queue.lost));
            let header = BatchHeader { sender: self.incarnation, sequence, first: queue.next, lost };
            queue.watermark_queued = false;
            round.payloads.push((channel.clone(), Bytes::copy_from_slice(&header.encode())));
            round.channels.push(channel.clone());
            if !queue.idle_queued {
                queue.idle_queued = true;
                self.idle.push(now + SEQUENCE_IDLE_TIMEOUT, channel);
            }
        }
        round
    }

    /// Forgets idle channels. This precedes taking watermarks: if the round of a watermark fails, its channel must
    /// still be tracked.
    fn forget_idle(&mut self, now: Instant) {
        while let Some(channel) = self.idle.pop_due(now) {
            let Some(queue) = self.channels.get(&channel) else { continue };
            if queue.watermark_queued || queue.last_message + SEQUENCE_IDLE_TIMEOUT > now {
                self.idle.push(now + SEQUENCE_IDLE_TIMEOUT, channel);
            } else {
                self.channels.remove(&channel);
            }
        }
    }

    /// Returns the time at which [`take_watermarks`](Self::take_watermarks) has something to do.
    pub(super) fn next_due(&self) -> Option<Instant> {
        match (self.watermarks.next_due(), self.idle.next_due()) {
            (Some(watermark), Some(idle)) => Some(watermark.min(idle)),
            (watermark, idle) => watermark.or(idle),
        }
    }

    /// Records that a round may not have arrived: its messages and the queued ones are lost. Watermarks report the
    /// loss.
    pub(super) fn fail(&mut self, round: &PublishRound, now: Instant) {
        self.lost_untracked |= round.carries_unsequenced;
        let queued = self.items.drain(..).filter_map(|item| match item {
            QueueItem::Batches(channel) => Some(channel),
            QueueItem::Control { delivers, .. } => {
                self.lost_untracked |= delivers;
                None
            }
        });
        for channel in round.channels.iter().cloned().chain(queued) {
            if let Some(queue) = self.channels.get_mut(&channel) {
                queue.batches.clear();
                queue.lost = true;
                if !queue.watermark_queued {
                    queue.watermark_queued = true;
                    self.watermarks.push(now + WATERMARK_DELAY, channel);
                }
            }
        }
        self.queued_bytes = 0;
    }

    /// Notes that the connection is gone: queued and new messages are lost.
    pub(super) fn set_offline(&mut self, now: Instant) {
        self.offline = true;
        self.fail(&PublishRound::default(), now);
    }

    /// Notes that there is a connection. Losses are reported first.
    pub(super) fn set_online(&mut self, now: Instant) {
        self.offline = false;
        let channels = &self.channels;
        self.watermarks.advance(now, |channel| channels.get(channel).is_some_and(|queue| queue.lost));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty() && (self.offline || !self.lost_untracked)
    }
}
