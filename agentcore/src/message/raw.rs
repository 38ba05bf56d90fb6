//! The data of a message before decoding.

use serde::Serialize;

use super::EncodeError;
use super::codec::{Codec, decode_json, decode_packed, is_deeper, pack_data, unpacked};
use super::{Payload, explain};
use crate::error::Error;
use crate::message::validate::ValidationReport;

/// The data of a message, copied out of the read buffer.
#[derive(Debug, Clone)]
pub(crate) enum OwnedData {
    Json(String),
    Packed(Vec<u8>),
}

impl OwnedData {
    /// Borrows the data.
    pub(crate) fn raw(&self) -> RawData<'_> {
        match self {
            Self::Json(text) => RawData::json(Some(text)),
            Self::Packed(bytes) => RawData::packed(Some(bytes)),
        }
    }

    /// Encodes `value` with the codec of these data.
    pub(crate) fn of_same_codec<T: Serialize>(&self, value: &T) -> Result<Self, EncodeError> {
        Ok(match self {
            Self::Json(_) => Self::Json(serde_json::to_string(value)?),
            Self::Packed(_) => Self::Packed(pack_data(value)?),
        })
    }
}

/// The `data` of a message as received: a span of JSON or MessagePack that is not parsed yet.
#[derive(Debug, Clone, Copy)]
pub struct RawData<'a>(DataSpan<'a>);

#[derive(Debug, Clone, Copy)]
enum DataSpan<'a> {
    Json(&'a str),
    Packed(&'a [u8]),
}

/// An empty map in MessagePack.
const EMPTY: &[u8] = &[0x80];
/// Null in MessagePack.
const NIL: &[u8] = &[0xc0];

impl<'a> RawData<'a> {
    /// Wraps a JSON value. Absent and null data become the empty object.
    pub(crate) fn json(text: Option<&'a str>) -> Self {
        Self(DataSpan::Json(text.filter(|text| *text != "null").unwrap_or("{}")))
    }

    /// Wraps a MessagePack value. Absent and null data become the empty object.
    pub(crate) fn packed(bytes: Option<&'a [u8]>) -> Self {
        Self(DataSpan::Packed(bytes.filter(|bytes| *bytes != NIL).unwrap_or(EMPTY)))
    }

    /// Returns the format of the data.
    #[must_use]
    pub fn codec(&self) -> Codec {
        match self.0 {
            DataSpan::Json(_) => Codec::Json,
            DataSpan::Packed(_) => Codec::MessagePack,
        }
    }

    /// Returns the bytes as received.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        match self.0 {
            DataSpan::Json(text) => text.as_bytes(),
            DataSpan::Packed(bytes) => bytes,
        }
    }

    /// Copies the data out of the read buffer.
    pub(crate) fn keep(self) -> OwnedData {
        match self.0 {
            DataSpan::Json(text) => OwnedData::Json(text.to_owned()),
            DataSpan::Packed(bytes) => OwnedData::Packed(bytes.to_vec()),
        }
    }

    /// Decodes a type of the framework; `None` for data that do not fit, without an explanation.
    pub(crate) fn read<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        match self.0 {
            DataSpan::Json(text) => decode_json(text).ok(),
            DataSpan::Packed(bytes) => decode_packed(bytes),
        }
    }

    /// Returns the length in bytes as received.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Returns whether there are no bytes. This is never so, because absent data become the empty object.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }

    /// Returns whether objects and arrays are nested more than `levels` deep; `{"a": [1]}` has two levels.
    #[must_use]
    pub fn is_deeper_than(&self, levels: usize) -> bool {
        is_deeper(self.codec(), self.as_bytes(), levels)
    }

    /// Decodes the data, and checks the rules of `#[validate]`.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` with the mistakes of shape, or else with every broken rule, in its details.
    pub fn decode<P: Payload>(&self) -> Result<P, Error> {
        let payload: P = match self.0 {
            DataSpan::Json(text) => shaped(text)?,
            DataSpan::Packed(bytes) if is_list(bytes) => return Err(explain::list_error()),
            DataSpan::Packed(bytes) => match decode_packed(bytes) {
                Some(payload) => payload,
                // Explained as JSON, so that both codecs report a mistake in the same words.
                None => shaped(&unpacked(bytes)?)?,
            },
        };
        let mut report = ValidationReport::default();
        payload.validate(&mut report);
        report.into_result()?;
        Ok(payload)
    }
}

fn shaped<P: Payload>(text: &str) -> Result<P, Error> {
    if text.starts_with('[') {
        // serde would accept a list for the fields of a struct in their order.
        return Err(explain::list_error());
    }
    decode_json(text).map_err(|error| explain::shape_error::<P>(text, &error))
}

fn is_list(bytes: &[u8]) -> bool {
    matches!(bytes.first(), Some(0x90..=0x9f | 0xdc | 0xdd))
}
