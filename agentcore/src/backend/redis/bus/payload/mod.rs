//! The payloads that nodes exchange through Redis.
//!
//! Version 1. Integers are big endian. A payload starts with `0x01`, its kind and the sender's incarnation (u64). The
//! kinds are:
//!
//! - `0`, a **batch**: sequence id (u64), number of the first record (u64), flags (u8; 1: messages right before it are
//!   lost), records. A batch without records is a watermark; its number is that of the next message.
//! - `1`, **unsequenced** records: messages without numbers, in the order of Redis.
//! - `2`, a **control** message: greetings, questions and answers.
//!
//! A record is its length (u32) and an encoded message, see [`record`]. A payload that starts with `{`, or with the
//! byte order mark of a text, comes from a program that is not a node, see [`external`]. A payload that cannot be read
//! is reported as [`UnreadablePayload`] and is not fatal: nodes of other versions may be in the cluster.

mod batch;
mod control;
mod cursor;
mod external;
mod header;
mod record;
#[cfg(test)]
mod tests;

use bytes::Bytes;

pub(crate) use batch::{BATCH_HEADER_LEN, BatchHeader, no_messages, unsequenced};
pub(crate) use control::Control;
use cursor::Cursor;
pub(crate) use external::MAX_EXTERNAL;
use header::{BATCH, CONTROL, UNSEQUENCED, VERSION};
pub(crate) use record::put as put_record;

use crate::backend::redis::keys::Channel;
use crate::message::OutboundMessage;

/// A decoded payload.
#[derive(Debug)]
pub(crate) enum BusPayload {
    /// Messages with sequence numbers.
    Batch(BatchHeader, Vec<OutboundMessage>),
    /// Messages without sequence numbers.
    Unsequenced(Vec<OutboundMessage>),
    /// A control message, with the incarnation of its sender.
    Control(u64, Control),
    /// A message of a program that is not a node.
    External(OutboundMessage),
}

/// The reason why a payload cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UnreadablePayload {
    /// The payload has another version or is damaged; it may have carried messages.
    Lossy(&'static str),
    /// An external payload breaks a rule.
    External(String),
}

impl BusPayload {
    /// Decodes a payload that arrived on a channel.
    pub(crate) fn read(channel: &Channel, bytes: &Bytes) -> Result<Self, UnreadablePayload> {
        if matches!(bytes.as_ref(), [b'{', ..] | [0xef, 0xbb, 0xbf, ..]) {
            return external::read(channel, bytes).map(Self::External).map_err(UnreadablePayload::External);
        }
        read(channel, bytes).ok_or(UnreadablePayload::Lossy(match bytes.first() {
            Some(&VERSION) => "damaged",
            _ => "of an unknown version",
        }))
    }
}

fn read(channel: &Channel, bytes: &[u8]) -> Option<BusPayload> {
    let mut cursor = Cursor(bytes);
    let (kind, sender) = header::read(&mut cursor)?;
    match kind {
        BATCH => batch::read(channel, sender, cursor).map(|(header, messages)| BusPayload::Batch(header, messages)),
        UNSEQUENCED => batch::read_records(channel, cursor).map(BusPayload::Unsequenced),
        CONTROL => Control::read(cursor).map(|control| BusPayload::Control(sender, control)),
        _ => None,
    }
}
