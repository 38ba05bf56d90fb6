//! Reads the envelopes of clients, in JSON from text frames and in MessagePack from binary frames.

mod json;
mod msgpack;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt::Display;

use super::RawData;
use super::codec::Codec;
use crate::error::Error;

/// A message of a client whose data are not parsed yet.
#[derive(Debug)]
pub(crate) struct Envelope<'a> {
    pub(crate) message_type: Cow<'a, str>,
    pub(crate) data: RawData<'a>,
    pub(crate) reference: Option<u64>,
}

impl<'a> Envelope<'a> {
    /// Reads the envelope. Unknown keys are ignored, so that the envelope can grow.
    ///
    /// # Errors
    /// `INVALID_JSON` or `INVALID_ENVELOPE`.
    pub(crate) fn parse(message: Input<'a>) -> Result<Self, Error> {
        match message {
            Input::Text(text) => json::read(text),
            Input::Binary(bytes) => msgpack::read(bytes),
        }
    }
}

/// Returns the text about a `ref` that is not an integer; a number is quoted.
fn refused_reference(number: Option<impl Display>) -> String {
    let but = number.map(|number| format!(", not {number}")).unwrap_or_default();
    format!("`ref` must be an integer from 0 to 18446744073709551615{but}")
}

/// A complete message as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input<'a> {
    /// JSON.
    Text(&'a str),
    /// MessagePack.
    Binary(&'a [u8]),
}

impl Input<'_> {
    pub(crate) fn codec(&self) -> Codec {
        match self {
            Self::Text(_) => Codec::Json,
            Self::Binary(_) => Codec::MessagePack,
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }
}
