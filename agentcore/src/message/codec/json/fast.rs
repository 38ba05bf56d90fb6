//! Writing JSON with sonic-rs, which finds what a text must escape 32 bytes at a time.
//!
//! Every byte is the one that serde_json writes: what this writer refuses or cannot know is written by serde_json. It
//! only writes. What clients send is read by serde_json, with its limits, as no unsafe parser gains enough there.

#[cfg(test)]
mod tests;

use memchr::memchr_iter;
use serde::Serialize;

/// How serde_json names the fields of its own types, such as `RawValue`: the text that they hold is to be written as it
/// is, which only serde_json knows.
const PRIVATE: &[u8] = b"$serde_json::private::";

pub(super) fn write_data<T: Serialize>(buffer: &mut Vec<u8>, data: &T) -> serde_json::Result<()> {
    let start = buffer.len();
    if sonic_rs::to_writer(&mut *buffer, data).is_ok() && !has_private(buffer.get(start..).unwrap_or_default()) {
        return Ok(());
    }
    buffer.truncate(start);
    serde_json::to_writer(buffer, data)
}

fn has_private(written: &[u8]) -> bool {
    memchr_iter(b'$', written).any(|at| written.get(at..).is_some_and(|rest| rest.starts_with(PRIVATE)))
}
