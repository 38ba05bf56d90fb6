//! Writes JSON with sonic-rs, which scans texts for characters to escape 32 bytes at a time.
//!
//! The output equals that of serde_json byte for byte: values that sonic-rs refuses or does not know are written by
//! serde_json. Reading stays with serde_json and its limits; `docs/codecs.md` has the measurements.

#[cfg(test)]
mod tests;

use serde::Serialize;

use super::has_private;

pub(super) fn write_data<T: Serialize>(buffer: &mut Vec<u8>, data: &T) -> serde_json::Result<()> {
    let start = buffer.len();
    if sonic_rs::to_writer(&mut *buffer, data).is_ok() && !has_private(buffer.get(start..).unwrap_or_default()) {
        return Ok(());
    }
    buffer.truncate(start);
    serde_json::to_writer(buffer, data)
}
