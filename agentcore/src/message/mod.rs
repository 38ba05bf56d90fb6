//! Messages: their types and rules, the envelope around their data, and its encoding as JSON and MessagePack.
//!
//! It owns how a message is read, checked and written. It does not own frames (`wire`) or delivery (`registry`).

mod codec;
mod envelope;
mod explain;
pub(crate) mod external;
mod outbound;
mod overflow;
mod payload;
mod raw;
pub mod validate;

pub use codec::Codec;
pub use outbound::{Except, OutboundMessage, Recipient};
pub use overflow::{Overflow, OverflowKey};
pub use payload::{Description, Message, Payload};
pub(crate) use raw::OwnedData;
pub use raw::RawData;

pub(crate) use codec::{EncodeError, type_of, unencodable};
pub(crate) use envelope::{Envelope, Input};
pub(crate) use outbound::EncodedMessage;
