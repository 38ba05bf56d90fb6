//! Messages and close frames that a client receives, and envelopes that it sends.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call_site::shortened;
use crate::message::Codec;

/// A message from the application.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Received {
    /// The message type, `type` of the envelope.
    pub kind: String,
    /// The request that it answers, `ref` of the envelope.
    pub reference: Option<u64>,
    /// The data as JSON, whatever the codec; `null` if there is none.
    pub data: Value,
}

/// The close frame that ended a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// The close code; 1005 for a frame without one.
    pub code: u16,
    /// The reason. Reasons of this framework are JSON with `code`, `error_id` and sometimes `retry_after_ms`.
    pub reason: String,
}

impl Closed {
    /// Returns the error code in the reason, such as `SLOW_CONSUMER`, if there is one.
    #[must_use]
    pub fn error_code(&self) -> Option<String> {
        let reason: Value = serde_json::from_str(&self.reason).ok()?;
        Some(reason.get("code")?.as_str()?.to_owned())
    }
}

/// An envelope from the application.
#[derive(Deserialize)]
struct ReceivedEnvelope {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, rename = "ref")]
    reference: Option<u64>,
    #[serde(default)]
    data: Value,
}

/// An envelope to the application.
#[derive(Serialize)]
struct SentEnvelope<'a, T> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a T>,
}

impl Received {
    /// Decodes the data as `T`.
    ///
    /// # Errors
    /// The data do not match `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_value(self.data.clone()).map_err(|error| error.to_string())
    }

    pub(super) fn from_text(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map(ReceivedEnvelope::into).map_err(|error| format!("{error}: {}", shortened(text)))
    }

    pub(super) fn from_binary(bytes: &[u8]) -> Result<Self, String> {
        let mut reader = rmp_serde::Deserializer::from_read_ref(bytes).with_human_readable();
        let mut json = Vec::new();
        let mut writer = serde_json::Serializer::new(&mut json);
        serde_transcode::transcode(&mut reader, &mut writer).map_err(|error| format!("{error}: {bytes:02x?}"))?;
        Self::from_text(&String::from_utf8_lossy(&json))
    }
}

impl From<ReceivedEnvelope> for Received {
    fn from(envelope: ReceivedEnvelope) -> Self {
        let ReceivedEnvelope { kind, reference, data } = envelope;
        Self { kind, reference, data }
    }
}

/// Writes the type, the `ref`, and the data as JSON, for failures of a test.
impl fmt::Display for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.kind)?;
        if let Some(reference) = self.reference {
            write!(f, " (ref {reference})")?;
        }
        write!(f, " {}", shortened(&self.data.to_string()))
    }
}

/// The payload of a frame.
pub(super) enum EncodedEnvelope {
    Text(String),
    Binary(Vec<u8>),
}

/// Encodes an envelope.
pub(super) fn encode<T: Serialize>(
    codec: Codec,
    kind: &str,
    reference: Option<u64>,
    data: Option<&T>,
) -> Result<EncodedEnvelope, String> {
    match codec {
        Codec::Json => {
            let envelope = SentEnvelope { kind, reference, data };
            serde_json::to_string(&envelope).map(EncodedEnvelope::Text).map_err(|error| error.to_string())
        }
        Codec::MessagePack => {
            let frame = codec.encode(kind, reference, data).map_err(|error| error.to_string())?;
            Ok(EncodedEnvelope::Binary(frame.payload_bytes().to_vec()))
        }
    }
}
