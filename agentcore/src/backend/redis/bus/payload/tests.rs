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
    let selector = || {
        prop_oneof![connections().prop_map(ConnectionSelector::Connection), users().prop_map(ConnectionSelector::User)]
    };
    prop_oneof![
        groups().prop_map(Question::Members),
        users().prop_map(Question::ConnectionsOf),
        users().prop_map(Question::Disconnect),
        messages().prop_map(Question::Deliver),
        (selector(), groups()).prop_map(|(selector, group)| Question::Join(selector, group)),
        (selector(), groups()).prop_map(|(selector, group)| Question::Leave(selector, group)),
    ]
}

fn answers() -> impl Strategy<Value = Answer> {
    prop_oneof![
        proptest::collection::vec(users(), 0..5).prop_map(Answer::Members),
        proptest::collection::vec(connections(), 0..5).prop_map(Answer::Connections),
        (0..usize::MAX).prop_map(Answer::Count),
    ]
}

fn controls() -> impl Strategy<Value = Control> {
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
    fn a_batch_survives_encoding(message in messages(), count in 0_usize..4, sender: u64, first: u64, lost: bool) {
        let header = BatchHeader { sender, sequence: 7, first, lost };
        let mut buffer = header.encode().to_vec();
        (0..count).for_each(|_| put_record(&mut buffer, &message));
        let BusPayload::Batch(read, messages) = BusPayload::read(&Channel::of(&message.to), &buffer.into()).unwrap() else {
            panic!("not a batch");
        };
        prop_assert_eq!(read, header);
        prop_assert_eq!(messages.len(), count);
        messages.iter().for_each(|read| assert_same(read, &message));
    }

    #[test]
    fn an_unsequenced_message_survives_encoding(message in messages()) {
        let BusPayload::Unsequenced(messages) = BusPayload::read(&Channel::of(&message.to), &unsequenced(1, &message)).unwrap() else {
            panic!("not an unsequenced message");
        };
        assert_same(&messages[0], &message);
    }

    #[test]
    fn a_control_message_survives_encoding(control in controls(), sender: u64) {
        let bytes = control.write(sender);
        let BusPayload::Control(from, read) = BusPayload::read(&Channel::Nodes, &bytes).unwrap() else { panic!("not a control message") };
        prop_assert_eq!(from, sender);
        prop_assert_eq!(read.write(sender), bytes);
        match (&read, &control) {
            (Control::Answer { answer: read, .. }, Control::Answer { answer, .. }) => prop_assert_eq!(read, answer),
            (Control::Ask(_, Question::Deliver(read)), Control::Ask(_, Question::Deliver(message))) => assert_same(read, message),
            _ => {}
        }
    }

    #[test]
    fn reading_arbitrary_bytes_does_not_panic(mut bytes: Vec<u8>, kind in 0_u8..4, form: u8, control in controls(), cut: usize) {
        let channels = [Channel::Nodes, Channel::Users, Channel::Everyone, Channel::Node(3)];
        let mut damaged = control.write(1).to_vec();
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

/// The fixture is a payload of a node of version 1. Every release must read it while such nodes may be in use.
#[test]
fn the_encoding_of_version_one_is_unchanged() {
    let fixture = include_bytes!("fixtures/batch_v1.bin");
    let BusPayload::Batch(header, messages) = BusPayload::read(&lobby(), &Bytes::from_static(fixture)).unwrap() else {
        panic!("not a batch");
    };
    assert_eq!(header, BatchHeader { sender: 0x0102_0304_0506_0708, sequence: 9, first: 41, lost: true });
    let envelopes: Vec<_> = messages.iter().map(OutboundMessage::envelope).collect();
    assert_eq!(envelopes, [r#"{"type":"said","data":{"text":"hi"}}"#, r#"{"type":"moved"}"#]);
    assert_eq!(messages[0].except.connection, Some(ConnectionId { incarnation: 1, serial: 2 }));
    assert_eq!(messages[0].except.users, [UserId::new("bob").unwrap()]);
    assert_eq!(messages[1].overflow(), &Overflow::Latest(OverflowKey::from_text("moved 1")));

    let mut written = header.encode().to_vec();
    messages.iter().for_each(|message| put_record(&mut written, message));
    assert_eq!(written, fixture);
}

#[test]
fn payloads_of_another_version_or_damaged_count_as_lost() {
    let mut later = include_bytes!("fixtures/batch_v1.bin").to_vec();
    later[0] = 2;
    assert_eq!(
        BusPayload::read(&lobby(), &later.into()).unwrap_err(),
        UnreadablePayload::Lossy("of an unknown version")
    );
    for bytes in [&b"\xff\xfe"[..], b"", b"hello"] {
        let read = BusPayload::read(&lobby(), &Bytes::from_static(bytes)).unwrap_err();
        assert_eq!(read, UnreadablePayload::Lossy("of an unknown version"));
    }
    let damaged = include_bytes!("fixtures/batch_v1.bin");
    let read = BusPayload::read(&lobby(), &Bytes::from_static(&damaged[..damaged.len() - 1])).unwrap_err();
    assert_eq!(read, UnreadablePayload::Lossy("damaged"));
}

#[test]
fn an_external_envelope_is_checked_and_encoded_again() {
    let text = br#" {"ref": 3, "data" : {"text": "hi"}, "type": "said", "more": [1]} "#.trim_ascii();
    let BusPayload::External(message) = BusPayload::read(&lobby(), &Bytes::from_static(text)).unwrap() else {
        panic!("not an external message");
    };
    assert_eq!(message.envelope(), r#"{"type":"said","data":{"text": "hi"}}"#);
    assert_eq!(message.to, Recipient::Group(GroupName::new("lobby").unwrap()));
    let to_user = br#"{"user":"alice","type":"said"}"#;
    let BusPayload::External(message) = BusPayload::read(&Channel::Users, &Bytes::from_static(to_user)).unwrap() else {
        panic!("not an external message");
    };
    assert_eq!(message.to, Recipient::User(UserId::new("alice").unwrap()));
    assert_eq!(message.envelope(), r#"{"type":"said","data":{}}"#);
}

#[test]
fn an_external_envelope_that_breaks_a_rule_is_refused_with_a_reason() {
    for (channel, text, reason) in [
        (lobby(), r#"{"type":"agentcore.resync"}"#, "is reserved"),
        (lobby(), r#"{"type":"pong"}"#, "is reserved"),
        (lobby(), r#"{"type":"Said"}"#, "must be a letter"),
        (lobby(), r#"{"data":{}}"#, "type"),
        (lobby(), r#"{"type":"said","data":[1]}"#, "must be an object"),
        (lobby(), r#"{"type":"said""#, "EOF"),
        (lobby(), "\u{feff}{\"type\":\"said\"}", "byte order mark"),
        (lobby(), r#"{"type":"said","data":{"a":1e400}}"#, "`data.a` must be a number"),
        (lobby(), r#"{"type":"said","user":"alice"}"#, "not allowed here"),
        (Channel::Users, r#"{"type":"said"}"#, "names the recipient"),
        (Channel::Nodes, r#"{"type":"said"}"#, "only nodes"),
    ] {
        let Err(UnreadablePayload::External(error)) = BusPayload::read(&channel, &Bytes::from_static(text.as_bytes()))
        else {
            panic!("{text} was accepted");
        };
        assert!(error.contains(reason), "{text}: {error}");
    }
    let long = format!(r#"{{"type":"said","data":"{}"}}"#, "x".repeat(1 << 20));
    assert!(matches!(BusPayload::read(&lobby(), &long.into()), Err(UnreadablePayload::External(_))));
}
