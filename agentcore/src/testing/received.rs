//! A message as a client of a test received it, and the envelope it sends.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::failing::shown;
use crate::message::Codec;

/// A message that came from the server.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Received {
    /// The message type: `type` of the envelope.
    pub kind: String,
    /// Which request it answers: `ref` of the envelope.
    pub reference: Option<u64>,
    /// The data, in the form of JSON whatever the codec is; `null` when there is none.
    pub data: Value,
}

/// The envelope (see the wire protocol).
#[derive(Deserialize)]
struct Incoming {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, rename = "ref")]
    reference: Option<u64>,
    #[serde(default)]
    data: Value,
}

#[derive(Serialize)]
struct Outgoing<'a, T> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a T>,
}

impl Received {
    /// The data as `T`.
    ///
    /// # Errors
    /// Why they do not fit.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_value(self.data.clone()).map_err(|error| error.to_string())
    }

    pub(super) fn of_text(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map(Incoming::into).map_err(|error| format!("{error}: {}", shown(text)))
    }

    pub(super) fn of_binary(bytes: &[u8]) -> Result<Self, String> {
        let mut reader = rmp_serde::Deserializer::from_read_ref(bytes).with_human_readable();
        let mut json = Vec::new();
        let mut writer = serde_json::Serializer::new(&mut json);
        serde_transcode::transcode(&mut reader, &mut writer).map_err(|error| format!("{error}: {bytes:02x?}"))?;
        Self::of_text(&String::from_utf8_lossy(&json))
    }
}

impl From<Incoming> for Received {
    fn from(incoming: Incoming) -> Self {
        let Incoming { kind, reference, data } = incoming;
        Self { kind, reference, data }
    }
}

/// As in a panic: the type, the `ref`, and the data in JSON.
impl fmt::Display for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.kind)?;
        if let Some(reference) = self.reference {
            write!(f, " (ref {reference})")?;
        }
        write!(f, " {}", shown(&self.data.to_string()))
    }
}

/// What a client sends.
pub(super) enum Packed {
    Text(String),
    Binary(Vec<u8>),
}

/// Writes an envelope as the codec wants it.
pub(super) fn pack<T: Serialize>(
    codec: Codec,
    kind: &str,
    reference: Option<u64>,
    data: Option<&T>,
) -> Result<Packed, String> {
    let envelope = Outgoing { kind, reference, data };
    match codec {
        Codec::Json => serde_json::to_string(&envelope).map(Packed::Text).map_err(|error| error.to_string()),
        Codec::MessagePack => {
            let mut bytes = Vec::new();
            let mut writer = rmp_serde::Serializer::new(&mut bytes).with_struct_map().with_human_readable();
            envelope.serialize(&mut writer).map_err(|error| error.to_string())?;
            Ok(Packed::Binary(bytes))
        }
    }
}
