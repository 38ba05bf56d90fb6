//! The undecoded data of a message.

use serde::Serialize;

use super::{Payload, explain};
use crate::error::Error;
use crate::message::validate::Report;

/// The data of a message, kept beyond the life of the read buffer.
#[derive(Debug, Clone)]
pub(crate) struct Data {
    json: String,
}

impl Data {
    /// The span.
    pub(crate) fn raw(&self) -> RawData<'_> {
        RawData { json: &self.json }
    }

    /// Encodes `value` in the codec of these data.
    pub(crate) fn of_same_codec<T: Serialize>(&self, value: &T) -> Result<Self, serde_json::Error> {
        let json = serde_json::to_string(value)?;
        let raw = RawData::new(Some(&json));
        Ok(if raw.json.len() == json.len() { Self { json } } else { raw.keep() })
    }
}

/// The `data` of a message as it came: a span of JSON that nobody has parsed yet.
#[derive(Debug, Clone, Copy)]
pub struct RawData<'a> {
    json: &'a str,
}

impl<'a> RawData<'a> {
    /// Takes the text of a JSON value; absent and null data are the empty object.
    pub(crate) fn new(json: Option<&'a str>) -> Self {
        Self { json: json.filter(|text| *text != "null").unwrap_or("{}") }
    }

    /// Copies the data out of the read buffer.
    pub(crate) fn keep(self) -> Data {
        Data { json: self.json.to_owned() }
    }

    /// The length in bytes as it came.
    #[must_use]
    pub fn len(&self) -> usize {
        self.json.len()
    }

    /// Whether there is no byte of data; never, as absent data are the empty object.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.json.is_empty()
    }

    /// Decodes and validates.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` with every broken rule in its details.
    pub fn decode<P: Payload>(&self) -> Result<P, Error> {
        if self.json.starts_with('[') {
            // serde would fill the fields of a struct in their order.
            return Err(explain::list());
        }
        let payload: P = match serde_json::from_str(self.json) {
            Ok(payload) => payload,
            Err(error) => return Err(explain::shape_error::<P>(self.json, &error)),
        };
        let mut report = Report::default();
        payload.validate(&mut report);
        report.into_result()?;
        Ok(payload)
    }
}
