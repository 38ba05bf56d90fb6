#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test stops where it fails")]

use super::super::payload::BusPayload;
use super::super::sequence::{BatchCheck, SequenceTracker};
use super::*;
use crate::backend::Question;
use crate::id::GroupName;
use crate::message::{Except, Overflow, Recipient};
use proptest::prelude::*;

fn message(group: u8, text: &str) -> OutboundMessage {
    let to = Recipient::Group(GroupName::new(format!("g{group}")).unwrap());
    let envelope = format!("{{\"type\":\"said\",\"data\":\"{text}\"}}");
    OutboundMessage::from_envelope(to, Except::default(), Overflow::Disconnect, envelope.as_bytes())
}

#[derive(Debug, Clone)]
enum Step {
    Push(u8),
    /// A message for which there was no room.
    Lose(u8),
    /// A question that delivers a message.
    Ask(u8),
    /// What waits goes out.
    Send(Fate),
    Down,
    Up,
    /// So many milliseconds later what waits goes out with the marks that are due.
    Wait(u16, Fate),
    /// The receiver begins to hear a channel, or hears it no more.
    Turn(u8),
}

/// What becomes of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Arrives,
    Fails,
    /// It arrives, and the sender does not hear so.
    Seems,
}

fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![6 => Just(Fate::Arrives), 1 => Just(Fate::Fails), 1 => Just(Fate::Seems)]
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..3_u8).prop_map(Step::Push),
        1 => (0..3_u8).prop_map(Step::Lose),
        3 => (0..3_u8).prop_map(Step::Ask),
        4 => fates().prop_map(Step::Send),
        1 => Just(Step::Down),
        2 => Just(Step::Up),
        4 => (0..4_000_u16, fates()).prop_map(|(ms, fate)| Step::Wait(ms, fate)),
        1 => (60_000..65_000_u16, fates()).prop_map(|(ms, fate)| Step::Wait(ms, fate)),
        1 => (0..3_u8).prop_map(Step::Turn),
    ]
}

fn number(message: &OutboundMessage) -> u64 {
    let text: serde_json::Value = serde_json::from_slice(&message.envelope()).unwrap();
    text["data"].as_str().unwrap().parse().unwrap()
}

fn numbers((channel, bytes): &(Channel, Bytes)) -> Vec<u64> {
    match BusPayload::read(channel, bytes) {
        Ok(BusPayload::Batch(_, messages)) => messages.iter().map(number).collect(),
        Ok(BusPayload::Control(1, Control::Ask(_, Question::Deliver(message)))) => vec![number(&message)],
        _ => panic!("{channel:?}"),
    }
}

fn at(channel: &Channel) -> usize {
    let Channel::Group(group) = channel else { panic!("{channel:?}") };
    group.as_str()[1..].parse().unwrap()
}

fn question(message: &OutboundMessage) -> Bytes {
    Control::Ask(1, Question::Deliver(message.clone())).write(1)
}

/// One receiver, and what it has heard and should have.
#[derive(Default)]
struct Receiver {
    streams: SequenceTracker,
    hears: [bool; 3],
    heard: [Vec<u64>; 3],
    /// Sent while it heard, and neither got nor told to be missing.
    missing: [Vec<u64>; 3],
}

impl Receiver {
    fn receive(&mut self, batch: &PublishRound, now: Instant) {
        for (place, (channel, bytes)) in batch.messages.iter().enumerate() {
            let (head, messages) = match BusPayload::read(channel, bytes).unwrap() {
                BusPayload::Batch(head, messages) => (head, messages),
                BusPayload::Control(1, Control::Lost) => {
                    let rest: Vec<u64> = batch.messages[place + 1..].iter().flat_map(numbers).collect();
                    self.missing.iter_mut().for_each(|missing| missing.retain(|number| rest.contains(number)));
                    continue;
                }
                BusPayload::Control(1, Control::Ask(_, Question::Deliver(message))) => {
                    self.take(at(&Channel::of(&message.to)), number(&message));
                    continue;
                }
                _ => panic!("{channel:?}"),
            };
            let at = at(channel);
            if !self.hears[at] {
                continue;
            }
            let BatchCheck { seen, hole } = self.streams.note(channel, &head, messages.len(), now);
            let numbers: Vec<u64> = messages[seen..].iter().map(number).collect();
            if hole {
                let next = numbers.first().copied().unwrap_or(u64::MAX);
                self.missing[at].retain(|number| *number > next);
            }
            numbers.into_iter().for_each(|number| self.take(at, number));
        }
    }

    fn take(&mut self, at: usize, number: u64) {
        if self.hears[at] {
            assert!(self.heard[at].last().is_none_or(|last| *last < number), "twice, or out of order");
            self.heard[at].push(number);
            self.missing[at].retain(|missing| *missing != number);
        }
    }

    /// Says what becomes of a batch.
    fn meet(&mut self, batch: &PublishRound, fate: Fate, outgoing: &mut SendQueue, now: Instant) {
        if fate != Fate::Fails {
            self.receive(batch, now);
        }
        if fate != Fate::Arrives {
            outgoing.fail(batch, now);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn whatever_fails_nothing_is_lost_without_a_word(
        most_lost in 1..4_usize,
        steps in proptest::collection::vec(steps(), 1..80),
    ) {
        let mut now = Instant::now();
        let mut outgoing = SendQueue::bounded(1, most_lost);
        let (mut receiver, mut count) = (Receiver::default(), 0_u64);
        outgoing.set_up(now);
        let mut is_up = true;
        let last = |ms| Step::Wait(ms, Fate::Arrives);
        let end = [Step::Up, Step::Send(Fate::Arrives), last(3_000), last(3_000)];
        for step in steps.into_iter().chain(end) {
            match step {
                Step::Push(group) => {
                    count += 1;
                    prop_assert_ne!(outgoing.push(&message(group, &count.to_string()), now), PushOutcome::Full);
                    if receiver.hears[usize::from(group)] {
                        receiver.missing[usize::from(group)].push(count);
                    }
                }
                Step::Lose(group) => {
                    count += 1;
                    outgoing.lose(&message(group, &count.to_string()), now);
                    if receiver.hears[usize::from(group)] {
                        receiver.missing[usize::from(group)].push(count);
                    }
                }
                Step::Ask(group) => {
                    count += 1;
                    let message = message(group, &count.to_string());
                    outgoing.ask(question(&message), Some(&message), now);
                    if receiver.hears[usize::from(group)] {
                        receiver.missing[usize::from(group)].push(count);
                    }
                }
                Step::Send(fate) if is_up => {
                    let batch = outgoing.take();
                    receiver.meet(&batch, fate, &mut outgoing, now);
                }
                Step::Send(_) => {}
                Step::Down => {
                    is_up = false;
                    outgoing.set_down(now);
                }
                Step::Up => {
                    is_up = true;
                    outgoing.set_up(now);
                }
                Step::Wait(ms, fate) => {
                    now += Duration::from_millis(ms.into());
                    if is_up {
                        let mut batch = outgoing.take();
                        batch.append(outgoing.take_marks(now, usize::MAX));
                        receiver.meet(&batch, fate, &mut outgoing, now);
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
    let (mut outgoing, now) = (SendQueue::new(1), Instant::now());
    outgoing.set_up(now);
    assert_eq!(outgoing.push(&message(0, "1"), now), PushOutcome::First);
    let long = "x".repeat(1_000);
    let mut count = 1;
    while outgoing.push(&message(count % 3, &long), now) == PushOutcome::Taken {
        count = (count + 1) % 250;
    }
    assert_eq!(outgoing.push(&message(0, "1"), now), PushOutcome::Full);
    let batch = outgoing.take();
    assert!(batch.messages.iter().all(|(_, bytes)| bytes.len() < PACK + 2_000));
    assert!(batch.messages.len() < 3 + 2 * BOUND / PACK, "{} payloads", batch.messages.len());
    assert!(outgoing.is_empty());
    assert_eq!(outgoing.push(&message(0, "1"), now), PushOutcome::First);
}

#[test]
fn a_question_that_delivers_keeps_its_place_among_the_parcels() {
    let (mut outgoing, now) = (SendQueue::new(1), Instant::now());
    outgoing.set_up(now);
    outgoing.push(&message(0, "1"), now);
    let asked = message(0, "2");
    outgoing.ask(question(&asked), Some(&asked), now);
    outgoing.push(&message(0, "3"), now);
    outgoing.push(&message(0, "4"), now);
    let batch = outgoing.take();
    assert_eq!(batch.messages.iter().map(numbers).collect::<Vec<_>>(), [vec![1], vec![2], vec![3, 4]]);

    outgoing.ask(question(&asked), Some(&asked), now);
    outgoing.set_down(now);
    outgoing.set_up(now);
    let batch = outgoing.take();
    let [(Channel::Nodes, lost)] = &batch.messages[..] else { panic!("all are told that it is lost") };
    assert!(matches!(BusPayload::read(&Channel::Nodes, lost), Ok(BusPayload::Control(1, Control::Lost))));
}

#[test]
fn a_silent_channel_gets_one_mark_and_is_forgotten() {
    let (mut outgoing, mut now) = (SendQueue::new(1), Instant::now());
    outgoing.set_up(now);
    outgoing.push(&message(0, "1"), now);
    outgoing.take();
    let mut marks = 0;
    while let Some(due) = outgoing.next_due() {
        now = due;
        marks += outgoing.take_marks(now, usize::MAX).messages.len();
    }
    assert_eq!(marks, 1);
    assert!(outgoing.lanes.is_empty());
}

#[test]
fn a_channel_whose_last_word_may_not_have_arrived_is_not_forgotten() {
    let (mut outgoing, start) = (SendQueue::new(1), Instant::now());
    outgoing.set_up(start);
    outgoing.push(&message(0, "1"), start);
    outgoing.take();
    outgoing.take_marks(start + MARK_AFTER, usize::MAX);
    outgoing.push(&message(0, "2"), start + MARK_AFTER);
    // The task has not run for so long that all is due at once.
    let late = start + MARK_AFTER + SEQUENCE_IDLE_TIMEOUT;
    let mut batch = outgoing.take();
    batch.append(outgoing.take_marks(late, usize::MAX));
    outgoing.fail(&batch, late);
    let marks = outgoing.take_marks(late + MARK_AFTER, usize::MAX);
    let [(channel, mark)] = &marks.messages[..] else { panic!("one mark") };
    let Ok(BusPayload::Batch(head, messages)) = BusPayload::read(channel, mark) else { panic!("a pack") };
    assert_eq!((head.number, head.lost, messages.len()), (2, true, 0));
}

#[test]
fn without_a_link_memory_does_not_grow_with_the_channels() {
    let (mut outgoing, now) = (SendQueue::new(1), Instant::now());
    outgoing.set_down(now);
    let to = |number: usize| Recipient::Group(GroupName::new(format!("g{number}")).unwrap());
    for number in 0..3 * LOST {
        let message = OutboundMessage::from_envelope(to(number), Except::default(), Overflow::Disconnect, b"{}");
        outgoing.push(&message, now);
        assert!(outgoing.lanes.len() <= LOST && outgoing.marks.len() <= LOST);
    }
    assert!(outgoing.take().is_empty() && outgoing.is_empty(), "there is no link");
    outgoing.set_up(now);
    assert!(!outgoing.is_empty());
    let batch = outgoing.take();
    let [(Channel::Nodes, lost)] = &batch.messages[..] else { panic!("all nodes are told once") };
    assert!(matches!(BusPayload::read(&Channel::Nodes, lost), Ok(BusPayload::Control(1, Control::Lost))));
    outgoing.fail(&batch, now);
    assert_eq!(outgoing.take().messages, batch.messages, "again, as it may not have arrived");
    assert!(outgoing.take().is_empty());
}
