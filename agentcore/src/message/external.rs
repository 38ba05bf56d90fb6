//! Messages without a Rust type: the application sends them with a message type known only at run time, or an external
//! program publishes them. They get the checks that the compiler does for all others.

use serde::Serialize;

use super::RawData;
use super::codec::{MAX_TYPE, packed_data, unencodable};
use super::validate::ValidationReport;
use super::{Envelope, Input, explain};
use crate::error::{Error, Result};

/// Message types of the protocol itself, in addition to those that start with `agentcore.`.
const RESERVED: [&str; 4] = ["ping", "pong", "reply", "error"];

/// Levels of nesting that data may have. Many JSON parsers stop at 128 levels, and the envelope takes one.
const MAX_DEPTH: usize = 100;

/// Writes the complete envelope of a message. Null data become the empty object, as in messages of clients.
///
/// # Errors
/// `VALIDATION_FAILED` for the field `type` when it is reserved or does not match `[a-z][a-z0-9_.]{0,63}`, and for
/// `data` when it is not an object, too deep or too long, or has a value that MessagePack cannot hold; an internal error
/// when `data` cannot be encoded.
pub(crate) fn write<D: Serialize + ?Sized>(message_type: &str, data: &D, max_bytes: usize) -> Result<Vec<u8>> {
    check_type(message_type)?;
    let text = serde_json::to_string(data).map_err(|error| unencodable(message_type, error))?;
    write_envelope(message_type, &RawData::json(Some(&text)), max_bytes)
}

/// Reads the envelope of an external program, and rewrites it with only its `type` and `data`: clients would take a
/// message with a `ref` for a reply.
///
/// # Errors
/// Those of [`write`], and `INVALID_JSON` or `INVALID_ENVELOPE`.
pub(super) fn read(text: &[u8], max_bytes: usize) -> Result<Vec<u8>> {
    // The length is checked first, so that no time is spent on parsing an oversized message.
    if text.len() > max_bytes {
        return Err(too_long(text.len(), max_bytes));
    }
    let text = std::str::from_utf8(text).map_err(|_| Error::invalid_json("the message is not UTF-8"))?;
    let Envelope { message_type, data, .. } = Envelope::parse(Input::Text(text))?;
    check_type(&message_type)?;
    write_envelope(&message_type, &data, max_bytes)
}

fn check_type(message_type: &str) -> Result<()> {
    let refused = |rule: &'static str, text: &str| Err(Error::invalid_field("type", rule, text));
    if RESERVED.contains(&message_type) || message_type.starts_with("agentcore.") {
        return refused(
            "reserved",
            "is reserved: `ping`, `pong`, `reply`, `error` and `agentcore.*` belong to the protocol",
        );
    }
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.';
    if message_type.len() > MAX_TYPE
        || !message_type.starts_with(|c: char| c.is_ascii_lowercase())
        || !message_type.chars().all(is_allowed)
    {
        let form = "must be a letter from `a` to `z`, followed by at most 63 of `a` to `z`, `0` to `9`, `_` and `.`";
        return refused("message_type", form);
    }
    Ok(())
}

fn write_envelope(message_type: &str, data: &RawData<'_>, max_bytes: usize) -> Result<Vec<u8>> {
    if !data.as_bytes().starts_with(b"{") {
        return Err(Error::invalid_field("data", "type", "must be an object"));
    }
    if data.is_deeper_than(MAX_DEPTH) {
        return Err(Error::invalid_field("data", "depth", format!("is nested more than {MAX_DEPTH} levels deep")));
    }
    let (packed, is_exact) = packed_data(data.as_bytes())?;
    if !is_exact {
        let mut report = ValidationReport::default();
        report.field("data", |report| explain::compare(&packed, explain::ANY, report));
        return Err(report.into_error());
    }
    let parts = [b"{\"type\":\"", message_type.as_bytes(), b"\",\"data\":", data.as_bytes(), b"}"];
    let envelope = parts.concat();
    if envelope.len() > max_bytes {
        return Err(too_long(envelope.len(), max_bytes));
    }
    Ok(envelope)
}

fn too_long(len: usize, max_bytes: usize) -> Error {
    let text = format!("makes the message {len} bytes long; at most {max_bytes} are allowed");
    Error::invalid_field("data", "size", text)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops where it fails")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn field_of(result: Result<Vec<u8>>) -> String {
        let error = result.unwrap_err();
        assert_eq!(error.code(), "VALIDATION_FAILED", "{error}");
        error.details().first().unwrap().field.clone()
    }

    #[test]
    fn a_message_type_is_well_formed_and_not_reserved() {
        for good in ["a", "news", "chat_message", "a.b_9", "pings", "agentcore", "agentcored.x", &"x".repeat(64)] {
            let written = write(good, &json!({ "a": 1 }), 1000).unwrap();
            assert_eq!(written, format!(r#"{{"type":"{good}","data":{{"a":1}}}}"#).into_bytes());
        }
        let bad =
            ["", "A", "9", "_a", ".a", "a b", "a-b", "ä", "a\"", "a\n", "ping", "reply", "error", "agentcore.resync"];
        for bad in bad.into_iter().chain([&*"x".repeat(65)]) {
            assert_eq!(field_of(write(bad, &json!({}), 1000)), "type", "{bad}");
            let external = json!({ "type": bad, "data": {} }).to_string();
            assert!(read(external.as_bytes(), 1000).is_err(), "{bad}");
        }
    }

    #[test]
    fn data_must_be_an_object_within_the_bounds() {
        for bad in [json!([1]), json!(1), json!("text"), json!(true)] {
            assert_eq!(field_of(write("news", &bad, 1000)), "data", "{bad}");
        }
        assert_eq!(write("news", &Value::Null, 1000).unwrap(), br#"{"type":"news","data":{}}"#);
        let length = br#"{"type":"news","data":{}}"#.len();
        assert!(write("news", &json!({}), length).is_ok());
        assert_eq!(field_of(write("news", &json!({}), length - 1)), "data");
        let deep = |levels| format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
        let nested = |levels| format!(r#"{{"type":"news","data":{}}}"#, deep(levels));
        assert!(read(nested(MAX_DEPTH).as_bytes(), 10_000).is_ok());
        assert_eq!(field_of(read(nested(MAX_DEPTH + 1).as_bytes(), 10_000)), "data");
    }

    #[test]
    fn data_must_be_values_that_messagepack_can_hold() {
        for (data, field) in [
            (r#"{"a":1e400}"#, "data.a"),
            (r#"{"a":[0,-1e999]}"#, "data.a[1]"),
            (r#"{"a":{"b":"\ud800"}}"#, "data.a.b"),
            (r#"{"a":"ok \ud83d"}"#, "data.a"),
            (r#"{"\ud83d":1}"#, "data"),
        ] {
            let raw: &serde_json::value::RawValue = serde_json::from_str(data).unwrap();
            assert_eq!(field_of(write("news", raw, 1000)), field, "{data}");
            assert_eq!(field_of(read(format!(r#"{{"type":"news","data":{data}}}"#).as_bytes(), 1000)), field, "{data}");
        }
    }

    #[test]
    fn an_external_envelope_keeps_only_its_type_and_data() {
        let text =
            br#" {"ref": 7, "data": {"ref":1, "big": 12345678901234567890123}, "other": [], "type": "n\u0065ws"} "#;
        let rewritten = br#"{"type":"news","data":{"ref":1, "big": 12345678901234567890123}}"#;
        assert_eq!(read(text, 1000).unwrap(), rewritten);
        assert_eq!(read(br#"{"type":"news"}"#, 1000).unwrap(), br#"{"type":"news","data":{}}"#);
        assert_eq!(field_of(read(text, 50)), "data");
        for (bad, code) in [
            (&b"{\"type\":\"news\",\"data\":{}"[..], "INVALID_JSON"),
            (b"\xff", "INVALID_JSON"),
            (b"{\"data\":{}}", "INVALID_ENVELOPE"),
            (b"{\"type\":7}", "INVALID_ENVELOPE"),
            (b"[]", "INVALID_ENVELOPE"),
        ] {
            assert_eq!(read(bad, 1000).unwrap_err().code(), code, "{bad:?}");
        }
    }
}
