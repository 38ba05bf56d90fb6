#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test stops where it fails")]

use proptest::prelude::*;

use super::*;
use crate::backend::{Answer, ConnectionSelector, Question};
use crate::id::{ConnectionId, GroupName, UserId};
use crate::message::{Except, Overflow, OverflowKey, Recipient};

fn connections() -> impl Strategy<Value = ConnectionId> {
    any::<(u64, u64)>().prop_map(|(incarnation, serial)| ConnectionId { incarnation, serial })
}

fn users() -> impl Strategy<Value = UserId> {
    "[^\\p{Cc}]{1,16}".prop_map(|name| UserId::new(name).unwrap())
}

fn groups() -> impl Strategy<Value = GroupName> {
    "[^\\p{Cc}]{1,32}".prop_map(|name| GroupName::new(name).unwrap())
}

fn recipients() -> impl Strategy<Value = Recipient> {
    prop_oneof![
        groups().prop_map(Recipient::Group),
        users().prop_map(Recipient::User),
        connections().prop_map(Recipient::Connection),
        Just(Recipient::Everyone),
    ]
}

fn overflows() -> impl Strategy<Value = Overflow> {
    prop_oneof![
        Just(Overflow::Disconnect),
        Just(Overflow::DropNewest),
        Just(Overflow::DropOldest),
        ".{0,20}".prop_map(|key| Overflow::Latest(OverflowKey::from_text(&key))),
    ]
}

fn messages() -> impl Strategy<Value = OutboundMessage> {
    let except = (proptest::option::of(connections()), proptest::collection::vec(users(), 0..4))
        .prop_map(|(connection, users)| Except { connection, users });
    (recipients(), except, overflows(), ".{0,40}").prop_map(|(to, except, overflow, text)| {
        let envelope = serde_json::json!({ "type": "said", "data": { "text": text } }).to_string();
        OutboundMessage::from_envelope(to, except, overflow, envelope.as_bytes())
    })
}

fn assert_same(one: &OutboundMessage, other: &OutboundMessage) {
    assert_eq!((&one.to, &one.except, one.overflow()), (&other.to, &other.except, other.overflow()));
    assert_eq!(one.envelope(), other.envelope());
}

fn questions() -> impl Strategy<Value = Question> {
    let whose = || {
        prop_oneof![connections().prop_map(ConnectionSelector::Connection), users().prop_map(ConnectionSelector::User)]
    };
    prop_oneof![
        groups().prop_map(Question::Members),
        users().prop_map(Question::ConnectionsOf),
        users().prop_map(Question::Disconnect),
        messages().prop_map(Question::Deliver),
        (whose(), groups()).prop_map(|(selector, group)| Question::Join(selector, group)),
        (whose(), groups()).prop_map(|(selector, group)| Question::Leave(selector, group)),
    ]
}

fn answers() -> impl Strategy<Value = Answer> {
    prop_oneof![
        proptest::collection::vec(users(), 0..5).prop_map(Answer::Members),
        proptest::collection::vec(connections(), 0..5).prop_map(Answer::Connections),
        (0..usize::MAX).prop_map(Answer::Count),
    ]
}

fn talks() -> impl Strategy<Value = Control> {
    prop_oneof![
        Just(Control::Hello),
        Just(Control::Goodbye),
        Just(Control::Lost),
        (any::<u64>(), questions()).prop_map(|(number, question)| Control::Ask(number, question)),
        (any::<u64>(), answers(), any::<bool>()).prop_map(|(number, answer, more)| Control::Answer {
            number,
            answer,
            more
        }),
    ]
}

proptest! {
    #[test]
    fn a_pack_is_read_as_it_was_written(message in messages(), count in 0_usize..4, origin: u64, number: u64, lost: bool) {
        let head = BatchHeader { origin, stream: 7, number, lost };
        let mut buffer = head.bytes().to_vec();
        (0..count).for_each(|_| put_record(&mut buffer, &message));
        let BusPayload::Batch(read, messages) = BusPayload::read(&Channel::of(&message.to), &buffer.into()).unwrap() else {
            panic!("a pack");
        };
        prop_assert_eq!(read, head);
        prop_assert_eq!(messages.len(), count);
        messages.iter().for_each(|read| assert_same(read, &message));
    }

    #[test]
    fn a_loose_parcel_is_read_as_it_was_written(message in messages()) {
        let BusPayload::Unsequenced(messages) = BusPayload::read(&Channel::of(&message.to), &unsequenced(1, &message)).unwrap() else {
            panic!("a loose message");
        };
        assert_same(&messages[0], &message);
    }

    #[test]
    fn talk_is_read_as_it_was_written(talk in talks(), origin: u64) {
        let bytes = talk.write(origin);
        let BusPayload::Control(from, read) = BusPayload::read(&Channel::Nodes, &bytes).unwrap() else { panic!("talk") };
        prop_assert_eq!(from, origin);
        prop_assert_eq!(read.write(origin), bytes);
        match (&read, &talk) {
            (Control::Answer { answer: read, .. }, Control::Answer { answer, .. }) => prop_assert_eq!(read, answer),
            (Control::Ask(_, Question::Deliver(read)), Control::Ask(_, Question::Deliver(message))) => assert_same(read, message),
            _ => {}
        }
    }

    #[test]
    fn bytes_of_any_kind_are_read_without_harm(mut bytes: Vec<u8>, kind in 0_u8..4, form: u8, talk in talks(), cut: usize) {
        let channels = [Channel::Nodes, Channel::Users, Channel::Everyone, Channel::Node(3)];
        let mut damaged = talk.write(1).to_vec();
        damaged.truncate(cut % (damaged.len() + 1));
        if form & 1 != 0 {
            bytes.splice(0..0, [VERSION, kind]);
        }
        for channel in &channels {
            let _ = BusPayload::read(channel, &bytes.clone().into());
            let _ = BusPayload::read(channel, &damaged.clone().into());
        }
    }
}

fn lobby() -> Channel {
    Channel::Group(GroupName::new("lobby").unwrap())
}

/// What a node of version 1 writes, byte by byte: it must be readable for as long as such nodes may be about.
#[test]
fn the_bytes_of_version_one_stay_as_they_are() {
    let fixture = include_bytes!("fixtures/pack_v1.bin");
    let BusPayload::Batch(head, messages) = BusPayload::read(&lobby(), &Bytes::from_static(fixture)).unwrap() else {
        panic!("a pack");
    };
    assert_eq!(head, BatchHeader { origin: 0x0102_0304_0506_0708, stream: 9, number: 41, lost: true });
    let envelopes: Vec<_> = messages.iter().map(OutboundMessage::envelope).collect();
    assert_eq!(envelopes, [r#"{"type":"said","data":{"text":"hi"}}"#, r#"{"type":"moved"}"#]);
    assert_eq!(messages[0].except.connection, Some(ConnectionId { incarnation: 1, serial: 2 }));
    assert_eq!(messages[0].except.users, [UserId::new("bob").unwrap()]);
    assert_eq!(messages[1].overflow(), &Overflow::Latest(OverflowKey::from_text("moved 1")));

    let mut written = head.bytes().to_vec();
    messages.iter().for_each(|message| put_record(&mut written, message));
    assert_eq!(written, fixture);
}

#[test]
fn another_version_and_damage_are_holes() {
    let mut later = include_bytes!("fixtures/pack_v1.bin").to_vec();
    later[0] = 2;
    assert_eq!(
        BusPayload::read(&lobby(), &later.into()).unwrap_err(),
        UnreadablePayload::Lossy("of an unknown version")
    );
    for bytes in [&b"\xff\xfe"[..], b"", b"hello"] {
        let read = BusPayload::read(&lobby(), &Bytes::from_static(bytes)).unwrap_err();
        assert_eq!(read, UnreadablePayload::Lossy("of an unknown version"));
    }
    let damaged = include_bytes!("fixtures/pack_v1.bin");
    let read = BusPayload::read(&lobby(), &Bytes::from_static(&damaged[..damaged.len() - 1])).unwrap_err();
    assert_eq!(read, UnreadablePayload::Lossy("damaged"));
}

#[test]
fn an_envelope_from_outside_is_checked_and_written_anew() {
    let text = br#" {"ref": 3, "data" : {"text": "hi"}, "type": "said", "more": [1]} "#.trim_ascii();
    let BusPayload::External(message) = BusPayload::read(&lobby(), &Bytes::from_static(text)).unwrap() else {
        panic!("from outside");
    };
    assert_eq!(message.envelope(), r#"{"type":"said","data":{"text": "hi"}}"#);
    assert_eq!(message.to, Recipient::Group(GroupName::new("lobby").unwrap()));
    let to_user = br#"{"user":"alice","type":"said"}"#;
    let BusPayload::External(message) = BusPayload::read(&Channel::Users, &Bytes::from_static(to_user)).unwrap() else {
        panic!("from outside");
    };
    assert_eq!(message.to, Recipient::User(UserId::new("alice").unwrap()));
    assert_eq!(message.envelope(), r#"{"type":"said","data":{}}"#);
}

#[test]
fn what_may_not_come_from_outside_is_refused_with_a_reason() {
    for (channel, text, reason) in [
        (lobby(), r#"{"type":"agentcore.resync"}"#, "protocol's own"),
        (lobby(), r#"{"type":"pong"}"#, "protocol's own"),
        (lobby(), r#"{"type":"Said"}"#, "must be a letter"),
        (lobby(), r#"{"data":{}}"#, "type"),
        (lobby(), r#"{"type":"said","data":[1]}"#, "must be an object"),
        (lobby(), r#"{"type":"said""#, "EOF"),
        (lobby(), r#"{"type":"said","user":"alice"}"#, "no meaning here"),
        (Channel::Users, r#"{"type":"said"}"#, "whom it is for"),
        (Channel::Nodes, r#"{"type":"said"}"#, "only nodes"),
    ] {
        let Err(UnreadablePayload::External(error)) = BusPayload::read(&channel, &Bytes::from_static(text.as_bytes()))
        else {
            panic!("{text} was taken");
        };
        assert!(error.contains(reason), "{text}: {error}");
    }
    let long = format!(r#"{{"type":"said","data":"{}"}}"#, "x".repeat(1 << 20));
    assert!(matches!(BusPayload::read(&lobby(), &long.into()), Err(UnreadablePayload::External(_))));
}
