//! The encoding of one message: flags (u8), the fields that the flags announce, then the complete JSON envelope.
//!
//! The fields, in this order:
//!
//! - `1`: the recipient within the channel: on the channel of users a user (length u8, name), on the channel of a node
//!   the serial of a connection (u64);
//! - `2`: the excepted connection (two u64);
//! - `4`: the excepted users (count u16, then length u8 and name each);
//! - `8` and `16`: the overflow policy, `8` drop newest, `16` drop oldest, both latest with its key (length u32).

use bytes::BufMut;

use super::cursor::{Cursor, put_long, put_short};
use crate::backend::redis::keys::Channel;
use crate::id::ConnectionId;
use crate::message::{Except, OutboundMessage, Overflow, OverflowKey, Recipient};

const RECIPIENT: u8 = 1;
const EXCEPT_CONNECTION: u8 = 2;
const EXCEPT_USERS: u8 = 4;
const NEWEST: u8 = 8;
const OLDEST: u8 = 16;
const LATEST: u8 = NEWEST | OLDEST;
const KNOWN: u8 = RECIPIENT | EXCEPT_CONNECTION | EXCEPT_USERS | LATEST;

/// Writes the length of a message and the message.
pub(crate) fn put(buffer: &mut Vec<u8>, message: &OutboundMessage) {
    put_long(buffer, |buffer| write(buffer, message));
}

fn write(buffer: &mut Vec<u8>, message: &OutboundMessage) {
    let Except { connection, users } = &message.except;
    let at = buffer.len();
    let mut flags = match message.overflow() {
        Overflow::Disconnect => 0,
        Overflow::DropNewest => NEWEST,
        Overflow::DropOldest => OLDEST,
        Overflow::Latest(_) => LATEST,
    };
    buffer.push(0);
    match &message.to {
        Recipient::User(user) => {
            flags |= RECIPIENT;
            put_short(buffer, user.as_str().as_bytes());
        }
        Recipient::Connection(id) => {
            flags |= RECIPIENT;
            buffer.put_u64(id.serial);
        }
        Recipient::Group(_) | Recipient::Everyone => {}
    }
    if let Some(id) = connection {
        flags |= EXCEPT_CONNECTION;
        buffer.put_u64(id.incarnation);
        buffer.put_u64(id.serial);
    }
    if !users.is_empty() {
        flags |= EXCEPT_USERS;
        let count = u16::try_from(users.len()).unwrap_or(u16::MAX);
        buffer.put_u16(count);
        users.iter().take(count.into()).for_each(|user| put_short(buffer, user.as_str().as_bytes()));
    }
    if let Overflow::Latest(key) = message.overflow() {
        put_long(buffer, |buffer| buffer.extend_from_slice(key.as_str().as_bytes()));
    }
    if let Some(place) = buffer.get_mut(at) {
        *place = flags;
    }
    buffer.extend_from_slice(message.envelope_bytes());
}

/// Reads a message that arrived on a channel; `None` if it is damaged or has an unknown flag.
pub(super) fn read(channel: &Channel, record: &[u8]) -> Option<OutboundMessage> {
    let mut cursor = Cursor(record);
    let flags = cursor.u8()?;
    if flags & !KNOWN != 0 {
        return None;
    }
    let has_recipient = flags & RECIPIENT != 0;
    let to = match (channel, has_recipient) {
        (Channel::Group(group), false) => Recipient::Group(group.clone()),
        (Channel::Everyone, false) => Recipient::Everyone,
        (Channel::Users, true) => Recipient::User(cursor.name()?),
        (Channel::Node(incarnation), true) => {
            Recipient::Connection(ConnectionId { incarnation: *incarnation, serial: cursor.u64()? })
        }
        _ => return None,
    };
    let mut except = Except::default();
    if flags & EXCEPT_CONNECTION != 0 {
        except.connection = Some(ConnectionId { incarnation: cursor.u64()?, serial: cursor.u64()? });
    }
    if flags & EXCEPT_USERS != 0 {
        except.users = (0..cursor.u16()?).map(|_| cursor.name()).collect::<Option<_>>()?;
    }
    let overflow = match flags & LATEST {
        0 => Overflow::Disconnect,
        NEWEST => Overflow::DropNewest,
        OLDEST => Overflow::DropOldest,
        _ => Overflow::Latest(OverflowKey::from_text(std::str::from_utf8(cursor.long()?).ok()?)),
    };
    // A text frame that is not UTF-8 would make clients close their connections (RFC 6455 8.1).
    let envelope = cursor.0;
    (envelope.first() == Some(&b'{') && simdutf8::basic::from_utf8(envelope).is_ok())
        .then(|| OutboundMessage::from_envelope(to, except, overflow, envelope))
}
