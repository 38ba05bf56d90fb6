//! The codecs: they write envelopes as JSON in text frames or MessagePack in binary frames, and decode their data.
//!
//! Both formats have the same shape, so an encoded JSON message is converted to MessagePack without its Rust type.

mod json;
mod msgpack;
mod pack;
pub(super) mod read;
pub(super) mod scan;
#[cfg(test)]
pub(super) mod tests;
pub(super) mod token;
pub(super) mod tree;

use serde::Serialize;

use self::pack::PackError;
use crate::error::{Error, ErrorResponse};
use crate::wire::{Frame, binary_frame, payload_of, text_frame};

/// The longest message type in bytes: `[a-z][a-z0-9_.]{0,63}`.
pub(super) const MAX_TYPE: usize = 64;

/// The reason why a message cannot be encoded: its `Serialize` failed, or a map key is not a string.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EncodeError {
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    #[error("{0}")]
    MessagePack(#[from] rmp_serde::encode::Error),
    #[error("{0}")]
    Length(#[from] rmp::encode::ValueWriteError),
    #[error("{0}")]
    Pack(#[from] PackError),
}

/// Returns the error for a message that cannot be encoded.
pub(crate) fn unencodable(message_type: &str, error: impl std::fmt::Display) -> Error {
    Error::internal(format!("message `{message_type}` cannot be encoded: {error}"))
}

/// The format that one connection speaks; its client selects it with a subprotocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Codec {
    /// JSON in text frames: subprotocol `agentcore.v1.json`, and clients that offer no subprotocol.
    #[default]
    Json,
    /// MessagePack in binary frames: subprotocol `agentcore.v1.msgpack`.
    MessagePack,
}

impl Codec {
    /// The subprotocols of all codecs.
    pub(crate) const SUBPROTOCOLS: [&'static str; 2] = [Self::Json.subprotocol(), Self::MessagePack.subprotocol()];

    /// Returns the subprotocol that selects the codec.
    #[must_use]
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "agentcore.v1.json",
            Self::MessagePack => "agentcore.v1.msgpack",
        }
    }

    /// Returns the codec that a subprotocol selects.
    pub(crate) fn from_subprotocol(name: &str) -> Option<Self> {
        [Self::Json, Self::MessagePack].into_iter().find(|codec| codec.subprotocol() == name)
    }

    /// Writes a frame with the envelope around `data`, or with an envelope that has no data.
    pub(crate) fn encode<T: Serialize>(
        self,
        message_type: &str,
        reference: Option<u64>,
        data: Option<&T>,
    ) -> Result<Frame, EncodeError> {
        match self {
            Self::Json => text_frame(|buffer| Ok(json::write(buffer, message_type, reference, data)?)),
            Self::MessagePack => binary_frame(|buffer| msgpack::write(buffer, message_type, reference, data)),
        }
    }

    /// Writes the reply to the request with `reference`; without data it holds `null`.
    pub(crate) fn reply<T: Serialize>(self, reference: u64, data: Option<&T>) -> Result<Frame, EncodeError> {
        self.encode("reply", Some(reference), Some(&data))
    }

    /// Writes the public part of an error that a message of type `message_type` caused.
    pub(crate) fn error(
        self,
        reference: Option<u64>,
        error: &Error,
        message_type: Option<&str>,
    ) -> Result<Frame, EncodeError> {
        self.encode("error", reference, Some(&ErrorResponse::new(error, message_type)))
    }
}

/// Returns the message type of a frame that the framework wrote; `None` for another form of envelope. It reads only the
/// beginning, and serves statistics.
pub(crate) fn type_of(codec: Codec, frame: &[u8]) -> Option<&str> {
    match codec {
        Codec::Json => json::type_of(payload_of(frame)),
        Codec::MessagePack => msgpack::type_of(payload_of(frame)),
    }
}

/// Returns the message type of a JSON envelope if the envelope begins with it, as the framework writes it.
pub(super) fn json_type_of(envelope: &[u8]) -> Option<&str> {
    json::type_of(envelope)
}

/// Converts a JSON envelope to a binary frame of MessagePack; `None` when it is not JSON, or has a value without
/// counterpart, such as 1e400.
pub(crate) fn packed(json: &[u8]) -> Option<Frame> {
    binary_frame(|buffer| pack::pack_envelope(json, buffer)).ok()
}

/// Encodes data without an envelope as MessagePack.
pub(super) fn pack_data<T: Serialize>(data: &T) -> Result<Vec<u8>, EncodeError> {
    let mut buffer = Vec::new();
    msgpack::write_data(&mut buffer, data)?;
    Ok(buffer)
}

/// Returns whether objects (maps) and arrays are nested more than `levels` deep.
pub(super) fn is_deeper(codec: Codec, data: &[u8], levels: usize) -> bool {
    match codec {
        Codec::Json => scan::json_is_deeper(data, levels),
        Codec::MessagePack => scan::packed_is_deeper(data, levels),
    }
}

/// Converts JSON data to MessagePack, with an extension or an infinite float for each value that only JSON text can
/// write, such as 1e400. Returns the data and whether there is no such value.
pub(super) fn packed_data(json: &[u8]) -> Result<(Vec<u8>, bool), Error> {
    pack::pack_data(json).map_err(|error| Error::invalid_json(format!("the data cannot be read: {error}")))
}

/// Decodes MessagePack data.
pub(super) fn decode_packed<T: serde::de::DeserializeOwned>(data: &[u8]) -> Option<T> {
    msgpack::decode(data)
}

/// Decodes JSON data.
pub(super) fn decode_json<T: serde::de::DeserializeOwned>(data: &str) -> serde_json::Result<T> {
    json::decode(data)
}
