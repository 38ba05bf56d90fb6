//! Control messages between nodes: greetings, questions and answers.

use bytes::{BufMut, Bytes};

use super::cursor::{Cursor, put_short};
use super::header::{self, CONTROL};
use super::record;
use crate::backend::redis::keys::Channel;
use crate::backend::{Answer, ConnectionSelector, Question};
use crate::id::ConnectionId;
use crate::message::Recipient;

/// A control message.
#[derive(Debug, Clone)]
pub(crate) enum Control {
    /// The sender has joined the cluster or is reachable again.
    Hello,
    /// The sender leaves the cluster and has published all its messages.
    Goodbye,
    /// Messages of the sender are lost on channels that it no longer tracks.
    Lost,
    /// Published by a node on its own channel, to find out whether its two links are at the same server.
    Probe(u64),
    /// A question with its number.
    Ask(u64, Question),
    /// One part of the answer to a question; the last part has `more` unset.
    Answer { number: u64, answer: Answer, more: bool },
}

const HELLO: u8 = 0;
const GOODBYE: u8 = 1;
const ANSWER: u8 = 2;
const LOST: u8 = 3;
const PROBE: u8 = 4;
const ASK: u8 = 16;

impl Control {
    /// Encodes the message. `sender` is the incarnation of the sending node.
    pub(crate) fn write(&self, sender: u64) -> Bytes {
        let mut buffer = header::start(CONTROL, sender);
        match self {
            Self::Hello => buffer.push(HELLO),
            Self::Goodbye => buffer.push(GOODBYE),
            Self::Lost => buffer.push(LOST),
            Self::Probe(number) => {
                buffer.push(PROBE);
                buffer.put_u64(*number);
            }
            Self::Ask(number, question) => {
                buffer.push(ASK);
                buffer.put_u64(*number);
                put_question(&mut buffer, question);
            }
            Self::Answer { number, answer, more } => {
                buffer.push(ANSWER);
                buffer.put_u64(*number);
                buffer.push((*more).into());
                put_answer(&mut buffer, answer);
            }
        }
        buffer.into()
    }

    /// Decodes a message after its first ten bytes.
    pub(super) fn read(mut cursor: Cursor<'_>) -> Option<Self> {
        Some(match cursor.u8()? {
            HELLO => Self::Hello,
            GOODBYE => Self::Goodbye,
            LOST => Self::Lost,
            PROBE => Self::Probe(cursor.u64()?),
            ASK => Self::Ask(cursor.u64()?, question(&mut cursor)?),
            ANSWER => {
                let (number, more) = (cursor.u64()?, cursor.u8()? != 0);
                Self::Answer { number, answer: answer(&mut cursor)?, more }
            }
            _ => return None,
        })
    }
}

fn put_question(buffer: &mut Vec<u8>, question: &Question) {
    match question {
        Question::Members(group) => {
            buffer.push(0);
            put_short(buffer, group.as_str().as_bytes());
        }
        Question::ConnectionsOf(user) => {
            buffer.push(1);
            put_short(buffer, user.as_str().as_bytes());
        }
        Question::Disconnect(user) => {
            buffer.push(2);
            put_short(buffer, user.as_str().as_bytes());
        }
        Question::Deliver(message) => {
            buffer.push(3);
            match &message.to {
                Recipient::Group(group) => {
                    buffer.push(0);
                    put_short(buffer, group.as_str().as_bytes());
                }
                Recipient::User(_) => buffer.push(1),
                Recipient::Connection(id) => {
                    buffer.push(2);
                    buffer.put_u64(id.incarnation);
                }
                Recipient::Everyone => buffer.push(3),
            }
            record::put(buffer, message);
        }
        Question::Join(selector, group) => {
            buffer.push(4);
            put_selector(buffer, selector);
            put_short(buffer, group.as_str().as_bytes());
        }
        Question::Leave(selector, group) => {
            buffer.push(5);
            put_selector(buffer, selector);
            put_short(buffer, group.as_str().as_bytes());
        }
    }
}

fn question(cursor: &mut Cursor<'_>) -> Option<Question> {
    Some(match cursor.u8()? {
        0 => Question::Members(cursor.name()?),
        1 => Question::ConnectionsOf(cursor.name()?),
        2 => Question::Disconnect(cursor.name()?),
        3 => {
            let channel = match cursor.u8()? {
                0 => Channel::Group(cursor.name()?),
                1 => Channel::Users,
                2 => Channel::Node(cursor.u64()?),
                3 => Channel::Everyone,
                _ => return None,
            };
            Question::Deliver(record::read(&channel, cursor.long()?)?)
        }
        4 => Question::Join(selector(cursor)?, cursor.name()?),
        5 => Question::Leave(selector(cursor)?, cursor.name()?),
        _ => return None,
    })
}

fn put_selector(buffer: &mut Vec<u8>, selector: &ConnectionSelector) {
    match selector {
        ConnectionSelector::Connection(id) => {
            buffer.push(0);
            put_connection(buffer, *id);
        }
        ConnectionSelector::User(user) => {
            buffer.push(1);
            put_short(buffer, user.as_str().as_bytes());
        }
    }
}

fn selector(cursor: &mut Cursor<'_>) -> Option<ConnectionSelector> {
    Some(match cursor.u8()? {
        0 => ConnectionSelector::Connection(connection(cursor)?),
        1 => ConnectionSelector::User(cursor.name()?),
        _ => return None,
    })
}

fn put_answer(buffer: &mut Vec<u8>, answer: &Answer) {
    match answer {
        Answer::Members(users) => {
            buffer.push(0);
            users.iter().for_each(|user| put_short(buffer, user.as_str().as_bytes()));
        }
        Answer::Connections(ids) => {
            buffer.push(1);
            ids.iter().for_each(|id| put_connection(buffer, *id));
        }
        Answer::Count(count) => {
            buffer.push(2);
            buffer.put_u64(*count as u64);
        }
    }
}

fn answer(cursor: &mut Cursor<'_>) -> Option<Answer> {
    Some(match cursor.u8()? {
        0 => {
            let mut users = Vec::new();
            while !cursor.is_empty() {
                users.push(cursor.name()?);
            }
            Answer::Members(users)
        }
        1 => {
            let mut ids = Vec::new();
            while !cursor.is_empty() {
                ids.push(connection(cursor)?);
            }
            Answer::Connections(ids)
        }
        2 => Answer::Count(usize::try_from(cursor.u64()?).ok()?),
        _ => return None,
    })
}

fn put_connection(buffer: &mut Vec<u8>, id: ConnectionId) {
    buffer.put_u64(id.incarnation);
    buffer.put_u64(id.serial);
}

fn connection(cursor: &mut Cursor<'_>) -> Option<ConnectionId> {
    Some(ConnectionId { incarnation: cursor.u64()?, serial: cursor.u64()? })
}
