//! Writes envelopes as JSON and decodes their data.

#[cfg(feature = "fast-json")]
mod fast;

use memchr::memchr_iter;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(super) fn decode<T: DeserializeOwned>(data: &str) -> serde_json::Result<T> {
    // Not `from_str`: at a key of a map with `bool` keys, it may start a text within a character and return invalid
    // UTF-8 (serde_json 1.0.154). `from_slice` checks each text.
    serde_json::from_slice(data.as_bytes())
}

pub(super) fn write<T: Serialize>(
    buffer: &mut Vec<u8>,
    message_type: &str,
    reference: Option<u64>,
    data: Option<&T>,
) -> Result<(), serde_json::Error> {
    // Message types are checked at compile time and need no escapes.
    buffer.extend_from_slice(b"{\"type\":\"");
    buffer.extend_from_slice(message_type.as_bytes());
    buffer.push(b'"');
    if let Some(reference) = reference {
        buffer.extend_from_slice(b",\"ref\":");
        serde_json::to_writer(&mut *buffer, &reference)?;
    }
    if let Some(data) = data {
        buffer.extend_from_slice(b",\"data\":");
        write_data(buffer, data)?;
    }
    buffer.push(b'}');
    Ok(())
}

/// Returns the type of an envelope that [`write`] wrote.
pub(super) fn type_of(envelope: &[u8]) -> Option<&str> {
    let rest = envelope.strip_prefix(b"{\"type\":\"")?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(rest.get(..end)?).ok()
}

/// The prefix of the field names in serde_json's own types, such as `RawValue`, and `Number` with the feature
/// `arbitrary_precision`. Only serde_json knows that their text is written as it is.
const PRIVATE: &[u8] = b"$serde_json::private::";

/// Returns whether another serializer than serde_json's has written one of serde_json's own types.
pub(super) fn has_private(written: &[u8]) -> bool {
    memchr_iter(b'$', written).any(|at| written.get(at..).is_some_and(|rest| rest.starts_with(PRIVATE)))
}

#[cfg(feature = "fast-json")]
use fast::write_data;

#[cfg(not(feature = "fast-json"))]
fn write_data<T: Serialize>(buffer: &mut Vec<u8>, data: &T) -> serde_json::Result<()> {
    serde_json::to_writer(buffer, data)
}
