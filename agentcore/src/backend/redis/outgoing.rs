//! What this node has to say to the others: numbered, packed, bounded.
//!
//! Filled by whoever publishes, emptied by one task. What waits for a channel is written into one buffer as it comes, so a
//! payload is ready when the link is free, and the fuller the longer the link takes.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::names::Channel;
use super::payload::{HEAD, Head, put_record};
use super::streams::FORGOTTEN_AFTER;
use crate::message::{Parcel, Recipient};

/// A payload is begun anew above this many bytes; a single parcel may be longer.
const PACK: usize = 64 << 10;
/// So many bytes wait at most, for all channels together.
const BOUND: usize = 4 << 20;
/// So long after a channel's last parcel a mark says which number it was.
const MARK_AFTER: Duration = Duration::from_secs(1);

/// What waits to be published.
#[derive(Debug)]
pub(super) struct Outgoing {
    origin: u64,
    lanes: HashMap<Channel, Lane>,
    /// Channels with something to send, in the order of what they send: each once in a turn.
    ready: VecDeque<Channel>,
    /// Groups and single recipients take turns, so that what one sender says to a group and to a user keeps its order;
    /// among groups there is none to keep.
    turn: u64,
    is_direct: bool,
    /// Payloads that are ready as they are, after what was ready when they came.
    talk: Vec<(Channel, Bytes)>,
    /// Bytes that wait.
    waiting: usize,
    /// When a lane's last number is to be told, by time; at most one entry for a lane.
    marks: VecDeque<(Instant, Channel)>,
    /// When a lane may be forgotten, by time; at most one entry for a lane.
    silent: VecDeque<(Instant, Channel)>,
    streams: u64,
    /// There is no link: what comes is counted, and lost.
    down: bool,
}

/// One channel's part.
#[derive(Debug)]
struct Lane {
    stream: u64,
    /// The number of the next record.
    next: u64,
    /// Full payloads, then the one that is being filled.
    packs: Vec<Pack>,
    /// Records before what waits were lost, and nobody was told yet.
    lost: bool,
    /// Its last number is to be told.
    in_marks: bool,
    in_silent: bool,
    last: Instant,
}

#[derive(Debug)]
struct Pack {
    turn: u64,
    number: u64,
    buffer: Vec<u8>,
}

/// Payloads that go out together, and what must be told if they do not arrive.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) messages: Vec<(Channel, Bytes)>,
    channels: Vec<Channel>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}

/// Whether something was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Push {
    /// It waits for the link, and nothing did before: the task must be woken.
    First,
    /// It waits, or it is lost and will be told to be.
    Taken,
    /// Too much waits already.
    Full,
}

impl Outgoing {
    pub(super) fn new(origin: u64) -> Self {
        Self {
            origin,
            lanes: HashMap::new(),
            ready: VecDeque::new(),
            turn: 0,
            is_direct: false,
            talk: Vec::new(),
            waiting: 0,
            marks: VecDeque::new(),
            silent: VecDeque::new(),
            streams: 0,
            down: true,
        }
    }

    /// Adds a parcel.
    pub(super) fn push(&mut self, parcel: &Parcel, now: Instant) -> Push {
        if self.waiting >= BOUND {
            return Push::Full;
        }
        let channel = channel_of(&parcel.to);
        let lane = self.lanes.entry(channel.clone()).or_insert_with(|| {
            self.streams += 1;
            Lane {
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
        if self.down {
            lane.lost = true;
            return Push::Taken;
        }
        let first = self.ready.is_empty();
        let is_direct = !matches!(channel, Channel::Group(_));
        if !first && is_direct != self.is_direct {
            self.turn += 1;
        }
        self.is_direct = is_direct;
        let last = lane.packs.last();
        if last.is_none_or(|pack| pack.turn != self.turn) {
            self.ready.push_back(channel);
        }
        if last.is_none_or(|pack| pack.turn != self.turn || pack.buffer.len() >= PACK) {
            // The head is written when it is sent: what was lost before it may change until then.
            lane.packs.push(Pack { turn: self.turn, number, buffer: vec![0; HEAD] });
        }
        if let Some(Pack { buffer, .. }) = lane.packs.last_mut() {
            let before = buffer.len();
            put_record(buffer, parcel);
            self.waiting += buffer.len() - before;
        }
        if first { Push::First } else { Push::Taken }
    }

    /// Adds talk. It goes after the parcels that wait; lost while there is no link.
    pub(super) fn say(&mut self, channel: Channel, payload: Bytes) {
        if !self.down {
            self.waiting += payload.len();
            self.talk.push((channel, payload));
        }
    }

    /// Takes all that waits.
    pub(super) fn take(&mut self) -> Batch {
        let mut batch = Batch::default();
        for channel in self.ready.drain(..) {
            let Some(lane) = self.lanes.get_mut(&channel) else { continue };
            let (stream, mut lost) = (lane.stream, std::mem::take(&mut lane.lost));
            let turn = lane.packs.first().map_or(0, |pack| pack.turn);
            let later = lane.packs.iter().position(|pack| pack.turn != turn).unwrap_or(lane.packs.len());
            for mut pack in lane.packs.drain(..later) {
                let head = Head { origin: self.origin, stream, number: pack.number, lost };
                lost = false;
                let mut written = Vec::with_capacity(HEAD);
                head.put(&mut written);
                if let Some(place) = pack.buffer.get_mut(..HEAD) {
                    place.copy_from_slice(&written);
                }
                batch.messages.push((channel.clone(), pack.buffer.into()));
            }
            batch.channels.push(channel);
        }
        batch.messages.append(&mut self.talk);
        self.waiting = 0;
        batch
    }

    /// Takes marks that are due, at most `count`, and forgets streams that were silent for long.
    pub(super) fn take_marks(&mut self, now: Instant, count: usize) -> Batch {
        let mut batch = Batch::default();
        while batch.messages.len() < count
            && let Some(channel) = pop_due(&mut self.marks, now)
        {
            let Some(lane) = self.lanes.get_mut(&channel) else { continue };
            let busy = !lane.packs.is_empty() || (lane.last + MARK_AFTER > now && !lane.lost);
            if self.down || busy {
                self.marks.push_back((now + MARK_AFTER, channel));
                continue;
            }
            let head = Head { origin: self.origin, stream: lane.stream, number: lane.next, lost: lane.lost };
            (lane.in_marks, lane.lost) = (false, false);
            let mut mark = Vec::with_capacity(HEAD);
            head.put(&mut mark);
            batch.messages.push((channel.clone(), mark.into()));
            batch.channels.push(channel.clone());
            if !lane.in_silent {
                lane.in_silent = true;
                self.silent.push_back((now + FORGOTTEN_AFTER, channel));
            }
        }
        while let Some(channel) = pop_due(&mut self.silent, now) {
            let Some(lane) = self.lanes.get_mut(&channel) else { continue };
            if lane.in_marks || lane.last + FORGOTTEN_AFTER > now {
                self.silent.push_back((now + FORGOTTEN_AFTER, channel));
            } else {
                self.lanes.remove(&channel);
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
    pub(super) fn fail(&mut self, batch: &Batch, now: Instant) {
        let failed = batch.channels.iter().cloned().chain(self.ready.drain(..));
        for channel in failed {
            if let Some(lane) = self.lanes.get_mut(&channel) {
                lane.packs.clear();
                lane.lost = true;
                if !lane.in_marks {
                    lane.in_marks = true;
                    self.marks.push_back((now + MARK_AFTER, channel));
                }
            }
        }
        self.talk.clear();
        self.waiting = 0;
    }

    /// There is no link any more: what waits is lost, and what comes.
    pub(super) fn set_down(&mut self, now: Instant) {
        self.down = true;
        self.fail(&Batch::default(), now);
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
        self.ready.is_empty() && self.talk.is_empty()
    }
}

/// On which channel a message travels.
pub(super) fn channel_of(to: &Recipient) -> Channel {
    match to {
        Recipient::Group(group) => Channel::Group(group.clone()),
        Recipient::User(_) => Channel::Users,
        Recipient::Connection(id) => Channel::Node(id.incarnation),
        Recipient::Everyone => Channel::Everyone,
    }
}

fn pop_due(queue: &mut VecDeque<(Instant, Channel)>, now: Instant) -> Option<Channel> {
    let due = queue.front().is_some_and(|(due, _)| *due <= now);
    if due { queue.pop_front().map(|(_, channel)| channel) } else { None }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops where it fails")]
mod tests {
    use super::super::payload::Payload;
    use super::super::streams::{Streams, Verdict};
    use super::*;
    use crate::id::GroupName;
    use crate::message::{Except, Overflow};
    use proptest::prelude::*;

    fn parcel(group: u8, text: &str) -> Parcel {
        let to = Recipient::Group(GroupName::new(format!("g{group}")).unwrap());
        let envelope = format!("{{\"type\":\"said\",\"data\":\"{text}\"}}");
        Parcel::from_envelope(to, Except::default(), Overflow::Disconnect, envelope.as_bytes())
    }

    #[derive(Debug, Clone)]
    enum Step {
        Push(u8),
        /// What waits goes out; whether it arrives, and whether the sender thinks so.
        Send {
            arrives: bool,
            known: bool,
        },
        Down,
        Up,
        Wait(u16),
        /// The receiver begins to hear a channel, or hears it no more.
        Turn(u8),
    }

    fn steps() -> impl Strategy<Value = Step> {
        prop_oneof![
            8 => (0..3_u8).prop_map(Step::Push),
            4 => prop_oneof![6 => Just((true, true)), 1 => Just((false, false)), 1 => Just((true, false))]
                .prop_map(|(arrives, known)| Step::Send { arrives, known }),
            1 => Just(Step::Down),
            2 => Just(Step::Up),
            4 => (0..4_000_u16).prop_map(Step::Wait),
            1 => (60_000..65_000_u16).prop_map(Step::Wait),
            1 => (0..3_u8).prop_map(Step::Turn),
        ]
    }

    /// One receiver, and what it has heard and should have.
    #[derive(Default)]
    struct Receiver {
        streams: Streams,
        hears: [bool; 3],
        heard: [Vec<u64>; 3],
        /// Sent while it heard, and neither got nor told to be missing.
        missing: [Vec<u64>; 3],
    }

    impl Receiver {
        fn receive(&mut self, batch: &Batch, now: Instant) {
            for (channel, bytes) in &batch.messages {
                let Channel::Group(group) = channel else { panic!("a group") };
                let at: usize = group.as_str()[1..].parse().unwrap();
                if !self.hears[at] {
                    continue;
                }
                let Payload::Pack(head, parcels) = Payload::read(channel, bytes).unwrap() else { panic!("a pack") };
                let Verdict { seen, hole } = self.streams.note(channel, &head, parcels.len(), now);
                let numbers: Vec<u64> = parcels[seen..]
                    .iter()
                    .map(|parcel| {
                        let text: serde_json::Value = serde_json::from_slice(&parcel.envelope()).unwrap();
                        text["data"].as_str().unwrap().parse().unwrap()
                    })
                    .collect();
                if hole {
                    let next = numbers.first().copied().unwrap_or(u64::MAX);
                    self.missing[at].retain(|number| *number > next);
                }
                for number in numbers {
                    assert!(self.heard[at].last().is_none_or(|last| *last < number), "twice, or out of order");
                    self.heard[at].push(number);
                    self.missing[at].retain(|missing| *missing != number);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
        #[test]
        fn whatever_fails_nothing_is_lost_without_a_word(steps in proptest::collection::vec(steps(), 1..80)) {
            let mut now = Instant::now();
            let (mut outgoing, mut receiver, mut count) = (Outgoing::new(1), Receiver::default(), 0_u64);
            outgoing.set_up(now);
            let mut is_up = true;
            let end = [Step::Up, Step::Send { arrives: true, known: true }, Step::Wait(3_000), Step::Wait(3_000)];
            for step in steps.into_iter().chain(end) {
                match step {
                    Step::Push(group) => {
                        count += 1;
                        prop_assert_ne!(outgoing.push(&parcel(group, &count.to_string()), now), Push::Full);
                        if receiver.hears[usize::from(group)] {
                            receiver.missing[usize::from(group)].push(count);
                        }
                    }
                    Step::Send { arrives, known } if is_up => {
                        let batch = outgoing.take();
                        if arrives {
                            receiver.receive(&batch, now);
                        }
                        if !known {
                            outgoing.fail(&batch, now);
                        }
                    }
                    Step::Send { .. } => {}
                    Step::Down => {
                        is_up = false;
                        outgoing.set_down(now);
                    }
                    Step::Up => {
                        is_up = true;
                        outgoing.set_up(now);
                    }
                    Step::Wait(ms) => {
                        now += Duration::from_millis(ms.into());
                        if is_up {
                            let batch = outgoing.take();
                            receiver.receive(&batch, now);
                            let marks = outgoing.take_marks(now, usize::MAX);
                            receiver.receive(&marks, now);
                        }
                        receiver.streams.sweep(now);
                    }
                    Step::Turn(group) => {
                        let at = usize::from(group);
                        receiver.hears[at] = !receiver.hears[at];
                        receiver.missing[at].clear();
                        receiver.streams.forget(&Channel::Group(GroupName::new(format!("g{group}")).unwrap()));
                    }
                }
            }
            prop_assert_eq!(receiver.missing, [const { Vec::<u64>::new() }; 3]);
        }
    }

    #[test]
    fn what_waits_is_packed_and_bounded() {
        let (mut outgoing, now) = (Outgoing::new(1), Instant::now());
        outgoing.set_up(now);
        assert_eq!(outgoing.push(&parcel(0, "1"), now), Push::First);
        let long = "x".repeat(1_000);
        let mut count = 1;
        while outgoing.push(&parcel(count % 3, &long), now) == Push::Taken {
            count = (count + 1) % 250;
        }
        assert_eq!(outgoing.push(&parcel(0, "1"), now), Push::Full);
        let batch = outgoing.take();
        assert!(batch.messages.iter().all(|(_, bytes)| bytes.len() < PACK + 2_000));
        assert!(batch.messages.len() < 3 + 2 * BOUND / PACK, "{} payloads", batch.messages.len());
        assert!(outgoing.is_empty());
        assert_eq!(outgoing.push(&parcel(0, "1"), now), Push::First);
    }

    #[test]
    fn a_silent_channel_gets_one_mark_and_is_forgotten() {
        let (mut outgoing, mut now) = (Outgoing::new(1), Instant::now());
        outgoing.set_up(now);
        outgoing.push(&parcel(0, "1"), now);
        outgoing.take();
        let mut marks = 0;
        while let Some(due) = outgoing.next_due() {
            now = due;
            marks += outgoing.take_marks(now, usize::MAX).messages.len();
        }
        assert_eq!(marks, 1);
        assert!(outgoing.lanes.is_empty());
    }
}
