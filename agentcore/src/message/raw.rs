//! The undecoded data of a message.

use serde::Serialize;

use super::EncodeError;
use super::codec::{Codec, decode_json, decode_packed, is_deeper, pack_data, unpacked};
use super::{Payload, explain};
use crate::error::Error;
use crate::message::validate::ValidationReport;

/// The data of a message, kept beyond the life of the read buffer.
#[derive(Debug, Clone)]
pub(crate) enum OwnedData {
    Json(String),
    Packed(Vec<u8>),
}

impl OwnedData {
    /// The span.
    pub(crate) fn raw(&self) -> RawData<'_> {
        match self {
            Self::Json(text) => RawData::json(Some(text)),
            Self::Packed(bytes) => RawData::packed(Some(bytes)),
        }
    }

    /// Encodes `value` in the codec of these data.
    pub(crate) fn of_same_codec<T: Serialize>(&self, value: &T) -> Result<Self, EncodeError> {
        Ok(match self {
            Self::Json(_) => Self::Json(serde_json::to_string(value)?),
            Self::Packed(_) => Self::Packed(pack_data(value)?),
        })
    }
}

/// The `data` of a message as it came: a span of JSON or MessagePack that nobody has parsed yet.
#[derive(Debug, Clone, Copy)]
pub struct RawData<'a>(DataSpan<'a>);

#[derive(Debug, Clone, Copy)]
enum DataSpan<'a> {
    Json(&'a str),
    Packed(&'a [u8]),
}

/// The marker of an empty map.
const EMPTY: &[u8] = &[0x80];
/// The marker of null.
const NIL: &[u8] = &[0xc0];

impl<'a> RawData<'a> {
    /// Takes the text of a JSON value; absent and null data are the empty object.
    pub(crate) fn json(text: Option<&'a str>) -> Self {
        Self(DataSpan::Json(text.filter(|text| *text != "null").unwrap_or("{}")))
    }

    /// Takes a value of MessagePack; absent and null data are the empty object.
    pub(crate) fn packed(bytes: Option<&'a [u8]>) -> Self {
        Self(DataSpan::Packed(bytes.filter(|bytes| *bytes != NIL).unwrap_or(EMPTY)))
    }

    /// The format it is in.
    #[must_use]
    pub fn codec(&self) -> Codec {
        match self.0 {
            DataSpan::Json(_) => Codec::Json,
            DataSpan::Packed(_) => Codec::MessagePack,
        }
    }

    /// The bytes as they came.
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

    /// Reads a type of our own, without explaining what is wrong with other data.
    pub(crate) fn read<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        match self.0 {
            DataSpan::Json(text) => decode_json(text).ok(),
            DataSpan::Packed(bytes) => decode_packed(bytes),
        }
    }

    /// The length in bytes as it came.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether there is no byte of data; never, as absent data are the empty object.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }

    /// Whether objects and arrays stand in each other more than `levels` deep; `{"a": [1]}` has two levels.
    #[must_use]
    pub fn is_deeper_than(&self, levels: usize) -> bool {
        is_deeper(self.codec(), self.as_bytes(), levels)
    }

    /// Decodes and validates.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` with every broken rule in its details.
    pub fn decode<P: Payload>(&self) -> Result<P, Error> {
        let payload: P = match self.0 {
            DataSpan::Json(text) => shaped(text)?,
            DataSpan::Packed(bytes) if is_list(bytes) => return Err(explain::list_error()),
            DataSpan::Packed(bytes) => match decode_packed(bytes) {
                Some(payload) => payload,
                // The same words for the same mistake, whatever the codec.
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
        // serde would fill the fields of a struct in their order.
        return Err(explain::list_error());
    }
    decode_json(text).map_err(|error| explain::shape_error::<P>(text, &error))
}

fn is_list(bytes: &[u8]) -> bool {
    matches!(bytes.first(), Some(0x90..=0x9f | 0xdc | 0xdd))
}
