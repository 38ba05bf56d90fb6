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
    /// A message for which the queue had no space.
    Lose(u8),
    /// A question that delivers a message.
    Ask(u8),
    /// A round is published.
    Send(RoundOutcome),
    Disconnect,
    Connect,
    /// A round is published after some milliseconds, with the watermarks that are due.
    Wait(u16, RoundOutcome),
    /// The receiver subscribes to a channel or unsubscribes from it.
    Toggle(u8),
}

/// The outcome of publishing a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RoundOutcome {
    Arrives,
    Lost,
    /// The round arrives, but the sender gets an error.
    ArrivesWithError,
}

fn outcomes() -> impl Strategy<Value = RoundOutcome> {
    prop_oneof![6 => Just(RoundOutcome::Arrives), 1 => Just(RoundOutcome::Lost), 1 => Just(RoundOutcome::ArrivesWithError)]
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..3_u8).prop_map(Step::Push),
        1 => (0..3_u8).prop_map(Step::Lose),
        3 => (0..3_u8).prop_map(Step::Ask),
        4 => outcomes().prop_map(Step::Send),
        1 => Just(Step::Disconnect),
        2 => Just(Step::Connect),
        4 => (0..4_000_u16, outcomes()).prop_map(|(ms, outcome)| Step::Wait(ms, outcome)),
        1 => (60_000..65_000_u16, outcomes()).prop_map(|(ms, outcome)| Step::Wait(ms, outcome)),
        1 => (0..3_u8).prop_map(Step::Toggle),
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

/// A receiver with the messages that it got and that it should have got.
#[derive(Default)]
struct Receiver {
    sequences: SequenceTracker,
    subscribed: [bool; 3],
    received: [Vec<u64>; 3],
    /// Messages sent while subscribed that were neither received nor reported as lost.
    missing: [Vec<u64>; 3],
}

impl Receiver {
    fn receive(&mut self, round: &PublishRound, now: Instant) {
        for (index, (channel, bytes)) in round.payloads.iter().enumerate() {
            let (header, messages) = match BusPayload::read(channel, bytes).unwrap() {
                BusPayload::Batch(header, messages) => (header, messages),
                BusPayload::Control(1, Control::Lost) => {
                    let rest: Vec<u64> = round.payloads[index + 1..].iter().flat_map(numbers).collect();
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
            if !self.subscribed[at] {
                continue;
            }
            let BatchCheck { duplicates, gap } = self.sequences.check(channel, &header, messages.len(), now);
            let numbers: Vec<u64> = messages[duplicates..].iter().map(number).collect();
            if gap {
                let next = numbers.first().copied().unwrap_or(u64::MAX);
                self.missing[at].retain(|number| *number > next);
            }
            numbers.into_iter().for_each(|number| self.take(at, number));
        }
    }

    fn take(&mut self, at: usize, number: u64) {
        if self.subscribed[at] {
            assert!(self.received[at].last().is_none_or(|last| *last < number), "a duplicate or out of order");
            self.received[at].push(number);
            self.missing[at].retain(|missing| *missing != number);
        }
    }

    /// Applies the outcome of a round to the receiver and the sender.
    fn apply(&mut self, round: &PublishRound, outcome: RoundOutcome, queue: &mut SendQueue, now: Instant) {
        if outcome != RoundOutcome::Lost {
            self.receive(round, now);
        }
        if outcome != RoundOutcome::Arrives {
            queue.fail(round, now);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn every_lost_message_is_reported_whatever_fails(
        max_channels in 1..4_usize,
        steps in proptest::collection::vec(steps(), 1..80),
    ) {
        let mut now = Instant::now();
        let mut queue = SendQueue::bounded(1, max_channels);
        let (mut receiver, mut count) = (Receiver::default(), 0_u64);
        queue.set_online(now);
        let mut is_online = true;
        let last = |ms| Step::Wait(ms, RoundOutcome::Arrives);
        let end = [Step::Connect, Step::Send(RoundOutcome::Arrives), last(3_000), last(3_000)];
        for step in steps.into_iter().chain(end) {
            match step {
                Step::Push(group) => {
                    count += 1;
                    prop_assert_ne!(queue.push(&message(group, &count.to_string()), now), PushOutcome::Full);
                    if receiver.subscribed[usize::from(group)] {
                        receiver.missing[usize::from(group)].push(count);
                    }
                }
                Step::Lose(group) => {
                    count += 1;
                    queue.mark_lost(&message(group, &count.to_string()), now);
                    if receiver.subscribed[usize::from(group)] {
                        receiver.missing[usize::from(group)].push(count);
                    }
                }
                Step::Ask(group) => {
                    count += 1;
                    let message = message(group, &count.to_string());
                    queue.push_question(question(&message), Some(&message), now);
                    if receiver.subscribed[usize::from(group)] {
                        receiver.missing[usize::from(group)].push(count);
                    }
                }
                Step::Send(outcome) if is_online => {
                    let round = queue.take();
                    receiver.apply(&round, outcome, &mut queue, now);
                }
                Step::Send(_) => {}
                Step::Disconnect => {
                    is_online = false;
                    queue.set_offline(now);
                }
                Step::Connect => {
                    is_online = true;
                    queue.set_online(now);
                }
                Step::Wait(ms, outcome) => {
                    now += Duration::from_millis(ms.into());
                    if is_online {
                        let mut round = queue.take();
                        round.append(queue.take_watermarks(now, usize::MAX));
                        receiver.apply(&round, outcome, &mut queue, now);
                    }
                    receiver.sequences.sweep(now);
                }
                Step::Toggle(group) => {
                    let at = usize::from(group);
                    receiver.subscribed[at] = !receiver.subscribed[at];
                    receiver.missing[at].clear();
                    receiver.sequences.forget(&Channel::Group(GroupName::new(format!("g{group}")).unwrap()));
                }
            }
        }
        prop_assert_eq!(receiver.missing, [const { Vec::<u64>::new() }; 3]);
    }
}

#[test]
fn queued_messages_are_batched_and_bounded() {
    let (mut queue, now) = (SendQueue::new(1), Instant::now());
    queue.set_online(now);
    assert_eq!(queue.push(&message(0, "1"), now), PushOutcome::First);
    let long = "x".repeat(1_000);
    let mut count = 1;
    while queue.push(&message(count % 3, &long), now) == PushOutcome::Accepted {
        count = (count + 1) % 250;
    }
    assert_eq!(queue.push(&message(0, "1"), now), PushOutcome::Full);
    let round = queue.take();
    assert!(round.payloads.iter().all(|(_, bytes)| bytes.len() < BATCH_SIZE + 2_000));
    assert!(round.payloads.len() < 3 + 2 * MAX_QUEUED_BYTES / BATCH_SIZE, "{} payloads", round.payloads.len());
    assert!(queue.is_empty());
    assert_eq!(queue.push(&message(0, "1"), now), PushOutcome::First);
}

#[test]
fn a_question_that_delivers_keeps_its_position_among_the_messages() {
    let (mut queue, now) = (SendQueue::new(1), Instant::now());
    queue.set_online(now);
    queue.push(&message(0, "1"), now);
    let delivered = message(0, "2");
    queue.push_question(question(&delivered), Some(&delivered), now);
    queue.push(&message(0, "3"), now);
    queue.push(&message(0, "4"), now);
    let round = queue.take();
    assert_eq!(round.payloads.iter().map(numbers).collect::<Vec<_>>(), [vec![1], vec![2], vec![3, 4]]);

    queue.push_question(question(&delivered), Some(&delivered), now);
    queue.set_offline(now);
    queue.set_online(now);
    let round = queue.take();
    let [(Channel::Nodes, lost)] = &round.payloads[..] else { panic!("not one report of the loss to all nodes") };
    assert!(matches!(BusPayload::read(&Channel::Nodes, lost), Ok(BusPayload::Control(1, Control::Lost))));
}

#[test]
fn an_idle_channel_gets_one_watermark_and_is_forgotten() {
    let (mut queue, mut now) = (SendQueue::new(1), Instant::now());
    queue.set_online(now);
    queue.push(&message(0, "1"), now);
    queue.take();
    let mut watermarks = 0;
    while let Some(due) = queue.next_due() {
        now = due;
        watermarks += queue.take_watermarks(now, usize::MAX).payloads.len();
    }
    assert_eq!(watermarks, 1);
    assert!(queue.channels.is_empty());
}

#[test]
fn a_channel_whose_watermark_may_not_have_arrived_is_not_forgotten() {
    let (mut queue, start) = (SendQueue::new(1), Instant::now());
    queue.set_online(start);
    queue.push(&message(0, "1"), start);
    queue.take();
    queue.take_watermarks(start + WATERMARK_DELAY, usize::MAX);
    queue.push(&message(0, "2"), start + WATERMARK_DELAY);
    // The task has not run for long, so everything is due at once.
    let late = start + WATERMARK_DELAY + SEQUENCE_IDLE_TIMEOUT;
    let mut round = queue.take();
    round.append(queue.take_watermarks(late, usize::MAX));
    queue.fail(&round, late);
    let watermarks = queue.take_watermarks(late + WATERMARK_DELAY, usize::MAX);
    let [(channel, watermark)] = &watermarks.payloads[..] else { panic!("not one watermark") };
    let Ok(BusPayload::Batch(header, messages)) = BusPayload::read(channel, watermark) else { panic!("not a batch") };
    assert_eq!((header.first, header.lost, messages.len()), (2, true, 0));
}

#[test]
fn memory_is_bounded_while_there_is_no_connection() {
    let (mut queue, now) = (SendQueue::new(1), Instant::now());
    queue.set_offline(now);
    let to = |number: usize| Recipient::Group(GroupName::new(format!("g{number}")).unwrap());
    for number in 0..3 * MAX_CHANNELS_OFFLINE {
        let message = OutboundMessage::from_envelope(to(number), Except::default(), Overflow::Disconnect, b"{}");
        queue.push(&message, now);
        assert!(queue.channels.len() <= MAX_CHANNELS_OFFLINE && queue.watermarks.len() <= MAX_CHANNELS_OFFLINE);
    }
    assert!(queue.take().is_empty() && queue.is_empty(), "there is no connection");
    queue.set_online(now);
    assert!(!queue.is_empty());
    let round = queue.take();
    let [(Channel::Nodes, lost)] = &round.payloads[..] else { panic!("not one report of the loss to all nodes") };
    assert!(matches!(BusPayload::read(&Channel::Nodes, lost), Ok(BusPayload::Control(1, Control::Lost))));
    queue.fail(&round, now);
    assert_eq!(queue.take().payloads, round.payloads, "repeated, because it may not have arrived");
    assert!(queue.take().is_empty());
}
