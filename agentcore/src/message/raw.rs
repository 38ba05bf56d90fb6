//! The data of a message before decoding.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use serde::Serialize;

use super::EncodeError;
use super::codec::read::PackedReader;
use super::codec::{Codec, decode_json, decode_packed, is_deeper, pack_data, packed_data};
use super::{Payload, explain};
use crate::error::{Error, excerpt};
use crate::message::validate::{MAX_TEXT, ValidationReport};

/// The longest data that are compared with their schema, in bytes: a tree of them takes up to 30 times the memory.
const MAX_COMPARED: usize = 256 * 1024;

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
        let payload: Option<P> = match self.0 {
            DataSpan::Json(text) if !text.starts_with('[') => decode_json(text).ok(),
            DataSpan::Packed(bytes) if !is_list(bytes) => decode_packed(bytes),
            _ => None,
        };
        let payload = payload.map_or_else(|| self.decode_again(), Ok)?;
        let mut report = ValidationReport::default();
        payload.validate(&mut report);
        report.into_result()?;
        Ok(payload)
    }

    /// Decodes data that were refused, now with floats that have no fraction as integers, or explains their mistakes.
    #[cold]
    fn decode_again<P: Payload>(&self) -> Result<P, Error> {
        let packed = match self.0 {
            DataSpan::Json(text) => Cow::Owned(packed_data(text.as_bytes())?.0),
            DataSpan::Packed(bytes) => Cow::Borrowed(bytes),
        };
        let refused = match serde_path_to_error::deserialize(&mut PackedReader::with_whole_floats(&packed)) {
            // serde accepts a list for the fields of a struct in their order, but messages are objects.
            Ok(_) if is_list(&packed) => None,
            Ok(payload) => return Ok(payload),
            Err(refused) => Some(refused),
        };
        let mut report = ValidationReport::default();
        if packed.len() <= MAX_COMPARED {
            let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<P>();
            explain::compare(&packed, schema.as_value(), &mut report);
        }
        match refused {
            _ if !report.is_empty() => {}
            None => report.broken("type", "must be of type object"),
            // The schema finds nothing wrong: the type refuses the value itself, such as an empty user id.
            Some(refused) => {
                let path = refused.path().to_string();
                let path = if path == "." { "" } else { &path };
                let text = format!("is not valid: {}", excerpt(&refused.inner().to_string(), MAX_TEXT));
                report.key(&path, |report| report.broken("value", text));
            }
        }
        Err(report.into_error())
    }
}

/// Returns whether MessagePack data are an array, or binary, which is a list of integers.
fn is_list(bytes: &[u8]) -> bool {
    matches!(bytes.first(), Some(0x90..=0x9f | 0xc4..=0xc6 | 0xdc | 0xdd))
}
