//! What this node has to say to the others: numbered, packed, bounded.
//!
//! Filled by whoever publishes, emptied by one task. What waits for a channel is written into one buffer as it comes, so a
//! payload is ready when the link is free, and the fuller the longer the link takes.

mod channel_queue;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

pub(super) use channel_queue::PublishRound;
use channel_queue::{ChannelQueue, PendingBatch, QueueItem};

use super::payload::{BatchHeader, Control, HEAD, put_record};
use super::sequence::SEQUENCE_IDLE_TIMEOUT;
use crate::backend::redis::keys::Channel;
use crate::message::OutboundMessage;

/// A payload is begun anew above this many bytes; a single message may be longer.
const PACK: usize = 64 << 10;
/// So many bytes wait at most, for all channels together.
const BOUND: usize = 4 << 20;
/// Of so many channels at most it is known that something was lost while there was no link. With more, all are told.
const LOST: usize = 16_384;
/// So long after a channel's last message a mark says which number it was.
const MARK_AFTER: Duration = Duration::from_secs(1);

/// What waits to be published.
#[derive(Debug)]
pub(super) struct SendQueue {
    origin: u64,
    lanes: HashMap<Channel, ChannelQueue>,
    /// What is to be sent, in this order: each channel once in a turn, and talk where it came.
    ready: VecDeque<QueueItem>,
    /// Groups and single recipients take turns, so that what one sender says to a group and to a user keeps its order;
    /// among groups there is none to keep.
    turn: u64,
    is_direct: bool,
    /// Bytes that wait.
    waiting: usize,
    /// When a lane's last number is to be told, by time; at most one entry for a lane.
    marks: VecDeque<(Instant, Channel)>,
    /// When a lane may be forgotten, by time; at most one entry for a lane.
    silent: VecDeque<(Instant, Channel)>,
    streams: u64,
    /// There is no link: what comes is counted, and lost.
    down: bool,
    /// Something was lost on channels that are not known any more; all nodes are to be told so first.
    all_lost: bool,
    most_lost: usize,
}

/// Whether something was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PushOutcome {
    /// It waits for the link, and nothing did before: the task must be woken.
    First,
    /// It waits, or it is lost and will be told to be.
    Taken,
    /// Too much waits already.
    Full,
}

impl SendQueue {
    pub(super) fn new(origin: u64) -> Self {
        Self::bounded(origin, LOST)
    }

    fn bounded(origin: u64, most_lost: usize) -> Self {
        Self {
            origin,
            lanes: HashMap::new(),
            ready: VecDeque::new(),
            turn: 0,
            is_direct: false,
            waiting: 0,
            marks: VecDeque::new(),
            silent: VecDeque::new(),
            streams: 0,
            // A node begins with a link; what it says before the task runs goes out then.
            down: false,
            all_lost: false,
            most_lost,
        }
    }

    /// Adds a message.
    pub(super) fn push(&mut self, message: &OutboundMessage, now: Instant) -> PushOutcome {
        if self.waiting >= BOUND {
            return PushOutcome::Full;
        }
        self.number(message, now, false)
    }

    /// Counts a message that there is no room for: whoever should have got it will be told.
    pub(super) fn lose(&mut self, message: &OutboundMessage, now: Instant) {
        self.number(message, now, true);
    }

    fn number(&mut self, message: &OutboundMessage, now: Instant, is_lost: bool) -> PushOutcome {
        let channel = Channel::of(&message.to);
        if self.down && self.lanes.len() >= self.most_lost {
            self.forget();
        }
        let lane = self.lanes.entry(channel.clone()).or_insert_with(|| {
            self.streams += 1;
            ChannelQueue {
                stream: self.streams,
                next: 0,
                packs: Vec::new(),
                lost: false,
                in_marks: false,
                in_silent: false,
                last: now,
            }
        });
        lane.last = now;
        if !lane.in_marks {
            lane.in_marks = true;
            self.marks.push_back((now + MARK_AFTER, channel.clone()));
        }
        let number = lane.next;
        lane.next += 1;
        if self.down || is_lost {
            lane.lost = true;
            return PushOutcome::Taken;
        }
        let first = self.ready.is_empty();
        let is_direct = !matches!(channel, Channel::Group(_));
        if !first && is_direct != self.is_direct {
            self.turn += 1;
        }
        self.is_direct = is_direct;
        let last = lane.packs.last();
        if last.is_none_or(|pack| pack.turn != self.turn) {
            self.ready.push_back(QueueItem::Channel(channel));
        }
        if last.is_none_or(|pack| pack.turn != self.turn || pack.end != number || pack.buffer.len() >= PACK) {
            // The head is written when it is sent: what was lost before it may change until then.
            let lost = std::mem::take(&mut lane.lost);
            lane.packs.push(PendingBatch { turn: self.turn, number, end: number, lost, buffer: vec![0; HEAD] });
        }
        if let Some(PendingBatch { buffer, end, .. }) = lane.packs.last_mut() {
            *end = number + 1;
            let before = buffer.len();
            put_record(buffer, message);
            self.waiting += buffer.len() - before;
        }
        if first { PushOutcome::First } else { PushOutcome::Taken }
    }

    /// Forgets what was lost where: while there is no link, memory must not grow with the channels. Whoever hears of them
    /// again hears new streams.
    fn forget(&mut self) {
        self.lanes.clear();
        self.marks.clear();
        self.silent.clear();
        self.all_lost = true;
    }

    /// Adds talk. It goes after the messages that wait; lost while there is no link.
    pub(super) fn say(&mut self, channel: Channel, payload: Bytes) {
        self.line_up(channel, payload, false);
    }

    /// Adds a question for all nodes. It goes after the messages that wait, and before those to come. One that `delivers` a
    /// message is counted like it: if it is lost, whoever should have got it will be told.
    pub(super) fn ask(&mut self, payload: Bytes, delivers: Option<&OutboundMessage>, now: Instant) {
        match delivers {
            Some(message) if self.down => self.lose(message, now),
            _ => {
                self.line_up(Channel::Nodes, payload, delivers.is_some());
                self.turn += 1;
            }
        }
    }

    fn line_up(&mut self, channel: Channel, payload: Bytes, delivers: bool) {
        if !self.down {
            self.waiting += payload.len();
            self.ready.push_back(QueueItem::Control { channel, payload, delivers });
        }
    }

    /// What was taken last may be lost, and nobody knows what it was: all are told.
    pub(super) fn lose_all(&mut self) {
        self.all_lost = true;
    }

    /// Says hello to all nodes.
    pub(super) fn greet(&mut self) {
        let hello = Control::Hello.write(self.origin);
        self.say(Channel::Nodes, hello);
    }

    /// Takes all that waits.
    pub(super) fn take(&mut self) -> PublishRound {
        let mut batch = PublishRound::default();
        if !self.down && std::mem::take(&mut self.all_lost) {
            batch.messages.push((Channel::Nodes, Control::Lost.write(self.origin)));
            batch.tells_all = true;
        }
        for ready in self.ready.drain(..) {
            let channel = match ready {
                QueueItem::Channel(channel) => channel,
                QueueItem::Control { channel, payload, delivers } => {
                    batch.messages.push((channel, payload));
                    batch.tells_all |= delivers;
                    continue;
                }
            };
            let Some(lane) = self.lanes.get_mut(&channel) else { continue };
            let stream = lane.stream;
            let turn = lane.packs.first().map_or(0, |pack| pack.turn);
            let later = lane.packs.iter().position(|pack| pack.turn != turn).unwrap_or(lane.packs.len());
            for mut pack in lane.packs.drain(..later) {
                let head = BatchHeader { origin: self.origin, stream, number: pack.number, lost: pack.lost };
                if let Some(place) = pack.buffer.first_chunk_mut() {
                    *place = head.bytes();
                }
                batch.messages.push((channel.clone(), pack.buffer.into()));
            }
            batch.channels.push(channel);
        }
        self.waiting = 0;
        batch
    }

    /// Takes marks that are due, at most `count`, and forgets streams that were silent for long.
    pub(super) fn take_marks(&mut self, now: Instant, count: usize) -> PublishRound {
        // Before marks are taken: one that is on its way may not arrive, and its lane must be there to know.
        while let Some(channel) = pop_due(&mut self.silent, now) {
            let Some(lane) = self.lanes.get_mut(&channel) else { continue };
            if lane.in_marks || lane.last + SEQUENCE_IDLE_TIMEOUT > now {
                self.silent.push_back((now + SEQUENCE_IDLE_TIMEOUT, channel));
            } else {
                self.lanes.remove(&channel);
            }
        }
        let mut batch = PublishRound::default();
        while batch.messages.len() < count
            && let Some(channel) = pop_due(&mut self.marks, now)
        {
            let Some(lane) = self.lanes.get_mut(&channel) else { continue };
            let busy = !lane.packs.is_empty() || (lane.last + MARK_AFTER > now && !lane.lost);
            if self.down || busy {
                self.marks.push_back((now + MARK_AFTER, channel));
                continue;
            }
            let head = BatchHeader { origin: self.origin, stream: lane.stream, number: lane.next, lost: lane.lost };
            (lane.in_marks, lane.lost) = (false, false);
            batch.messages.push((channel.clone(), Bytes::copy_from_slice(&head.bytes())));
            batch.channels.push(channel.clone());
            if !lane.in_silent {
                lane.in_silent = true;
                self.silent.push_back((now + SEQUENCE_IDLE_TIMEOUT, channel));
            }
        }
        batch
    }

    /// When something is due for [`take_marks`](Self::take_marks).
    pub(super) fn next_due(&self) -> Option<Instant> {
        let first = |queue: &VecDeque<(Instant, Channel)>| queue.front().map(|(due, _)| *due);
        match (first(&self.marks), first(&self.silent)) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// Notes that a batch may not have arrived: its numbers are lost, and so is what waits. Marks will tell.
    pub(super) fn fail(&mut self, batch: &PublishRound, now: Instant) {
        self.all_lost |= batch.tells_all;
        let waiting = self.ready.drain(..).filter_map(|ready| match ready {
            QueueItem::Channel(channel) => Some(channel),
            QueueItem::Control { delivers, .. } => {
                self.all_lost |= delivers;
                None
            }
        });
        for channel in batch.channels.iter().cloned().chain(waiting) {
            if let Some(lane) = self.lanes.get_mut(&channel) {
                lane.packs.clear();
                lane.lost = true;
                if !lane.in_marks {
                    lane.in_marks = true;
                    self.marks.push_back((now + MARK_AFTER, channel));
                }
            }
        }
        self.waiting = 0;
    }

    /// There is no link any more: what waits is lost, and what comes.
    pub(super) fn set_down(&mut self, now: Instant) {
        self.down = true;
        self.fail(&PublishRound::default(), now);
    }

    /// There is a link again. What was lost is told first.
    pub(super) fn set_up(&mut self, now: Instant) {
        self.down = false;
        let lanes = &self.lanes;
        let is_lost = |(_, channel): &(Instant, Channel)| lanes.get(channel).is_some_and(|lane| lane.lost);
        let (lost, others): (VecDeque<_>, _) = std::mem::take(&mut self.marks).into_iter().partition(is_lost);
        self.marks = lost.into_iter().map(|(_, channel)| (now, channel)).chain(others).collect();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty() && (self.down || !self.all_lost)
    }
}

fn pop_due(queue: &mut VecDeque<(Instant, Channel)>, now: Instant) -> Option<Channel> {
    let due = queue.front().is_some_and(|(due, _)| *due <= now);
    if due { queue.pop_front().map(|(_, channel)| channel) } else { None }
}
