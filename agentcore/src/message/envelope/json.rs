//! Reads the envelope of a JSON message: `{"type": .., "data": .., "ref": ..}`.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{Envelope, refused_reference};
use crate::error::{Error, excerpt};
use crate::message::RawData;
use crate::message::codec::MAX_TYPE;
use crate::message::codec::token::{Token, whole};

pub(super) fn read(text: &str) -> Result<Envelope<'_>, Error> {
    serde_json::from_str(text).map_err(|error| explain(text, &error))
}

fn explain(text: &str, error: &serde_json::Error) -> Error {
    if text.starts_with('\u{feff}') {
        return Error::invalid_json("the message is not JSON: it begins with a byte order mark");
    }
    // A mistake in the envelope stops the reader early, so the rest of the text may not be JSON.
    match serde_json::from_str::<IgnoredAny>(text) {
        Err(error) => Error::invalid_json(format!("the message is not JSON: {}", shown(&error))),
        Ok(_) => Error::invalid_envelope(shown(error)),
    }
}

/// Returns the text of an error, shortened because it may quote the client.
fn shown(error: &serde_json::Error) -> String {
    excerpt(&error.to_string(), 200).into_owned()
}

impl<'de> Deserialize<'de> for Envelope<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EnvelopeVisitor)
    }
}

/// Visitor methods that refuse a kind of value with the given text. serde's own texts name Rust types.
macro_rules! refuse {
    ($text:expr; $($what:ident)*) => { $(refuse!(@ $text, $what);)* };
    (@ $text:expr, bool) => { refuse!(@ $text, visit_bool, bool); };
    (@ $text:expr, u64) => { refuse!(@ $text, visit_u64, u64); };
    (@ $text:expr, i64) => { refuse!(@ $text, visit_i64, i64); };
    (@ $text:expr, f64) => { refuse!(@ $text, visit_f64, f64); };
    (@ $text:expr, str) => { refuse!(@ $text, visit_str, &str); };
    (@ $text:expr, null) => {
        fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
            Err(E::custom($text))
        }
    };
    (@ $text:expr, array) => {
        fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
            Err(A::Error::custom($text))
        }
    };
    (@ $text:expr, object) => {
        fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
            Err(A::Error::custom($text))
        }
    };
    (@ $text:expr, $visit:ident, $type:ty) => {
        fn $visit<E: serde::de::Error>(self, _: $type) -> Result<Self::Value, E> {
            Err(E::custom($text))
        }
    };
}

struct EnvelopeVisitor;

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum EnvelopeKey {
    Type,
    Data,
    Ref,
    #[serde(other)]
    Other,
}

/// The message type, which borrows from the input unless it has escapes.
struct TypeText<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for TypeText<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TypeTextVisitor;
        impl<'de> Visitor<'de> for TypeTextVisitor {
            type Value = TypeText<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            refuse!("`type` must be a string"; bool u64 i64 f64 null array object);
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(TypeText(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(TypeText(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_any(TypeTextVisitor)
    }
}

/// Reads a `ref`; `None` for null. It is read as text: what serde_json passes on for a float depends on the features that
/// other crates of the program turn on.
fn read_reference(text: &str) -> Result<Option<u64>, String> {
    if let Ok(number) = text.parse() {
        return Ok(Some(number));
    }
    match text.parse().ok().and_then(whole) {
        Some(Token::Unsigned(number)) => Ok(Some(number)),
        _ if text == "null" => Ok(None),
        _ => Err(refused_reference(text.parse::<f64>().ok().map(|_| text))),
    }
}

impl<'de> Visitor<'de> for EnvelopeVisitor {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    refuse!("the envelope must be an object with `type`, and optionally `data` and `ref`"; bool u64 i64 f64 str null array);

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut message_type, mut data, mut reference) = (None, None, None);
        while let Some(key) = map.next_key()? {
            match key {
                EnvelopeKey::Type if message_type.is_none() => message_type = Some(map.next_value::<TypeText<'de>>()?),
                EnvelopeKey::Data if data.is_none() => data = Some(map.next_value::<&'de RawValue>()?),
                EnvelopeKey::Ref if reference.is_none() => {
                    let text = map.next_value::<&'de RawValue>()?.get();
                    reference = Some(read_reference(text).map_err(A::Error::custom)?);
                }
                EnvelopeKey::Type => return Err(A::Error::custom("`type` appears twice")),
                EnvelopeKey::Data => return Err(A::Error::custom("`data` appears twice")),
                EnvelopeKey::Ref => return Err(A::Error::custom("`ref` appears twice")),
                EnvelopeKey::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let Some(TypeText(message_type)) = message_type else {
            return Err(A::Error::custom("the envelope has no `type`"));
        };
        if message_type.len() > MAX_TYPE {
            return Err(A::Error::custom("`type` has more than 64 characters"));
        }
        Ok(Envelope { message_type, data: RawData::json(data.map(RawValue::get)), reference: reference.flatten() })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

    use super::*;

    fn refused(text: &str) -> (String, String) {
        let error = read(text).unwrap_err();
        (error.code().to_owned(), error.message().to_owned())
    }

    #[test]
    fn an_envelope_is_read_in_any_order_with_unknown_keys() {
        let envelope = read(r#" {"v": [1, {}], "ref": 7, "data" : {"a":1} , "type": "ch\u0061t"} "#).unwrap();
        assert_eq!((&*envelope.message_type, envelope.reference), ("chat", Some(7)));
        assert_eq!(envelope.data.len(), r#"{"a":1}"#.len());
        for number in ["7", "7.0", "7.00", "7e0", "70e-1", "0.7E+1"] {
            assert_eq!(read(&format!(r#"{{"type":"a","ref":{number}}}"#)).unwrap().reference, Some(7), "{number}");
        }
        for text in [r#"{"type":"a"}"#, r#"{"type":"a","data":null,"ref":null}"#, r#"{"type":"a","data":{}}"#] {
            let envelope = read(text).unwrap();
            assert_eq!((envelope.data.len(), envelope.reference), (2, None), "{text}");
        }
    }

    #[test]
    fn a_malformed_envelope_is_refused_with_the_reason() {
        for (text, expected) in [
            ("{}", "the envelope has no `type`"),
            (r#"{"type":"a","type":"b"}"#, "`type` appears twice"),
            (r#"{"type":"a","data":1,"data":2}"#, "`data` appears twice"),
            (r#"{"type":"a","ref":1,"ref":1}"#, "`ref` appears twice"),
            (r#"{"type":{}}"#, "`type` must be a string"),
            (r#"{"type":5}"#, "`type` must be a string"),
            (r#"{"type":null}"#, "`type` must be a string"),
            (r#"{"type":"a","ref":-1}"#, "`ref` must be an integer from 0"),
            (r#"{"type":"a","ref":1.50}"#, "`ref` must be an integer from 0 to 18446744073709551615, not 1.50"),
            (r#"{"type":"a","ref":18446744073709551616}"#, "`ref` must be an integer from 0"),
            (r#"{"type":"a","ref":1e400}"#, "`ref` must be an integer from 0"),
            (r#"{"type":"a","ref":"7"}"#, "`ref` must be an integer from 0"),
            ("[]", "the envelope must be an object with `type`"),
            ("7", "the envelope must be an object with `type`"),
        ] {
            let (code, message) = refused(text);
            assert_eq!(code, "INVALID_ENVELOPE", "{text}");
            assert!(message.starts_with(expected), "{text}: {message}");
        }
        let marked = "\u{feff}{\"type\":\"a\"}";
        assert!(refused(marked).1.contains("byte order mark"));
        for text in [marked, "", "{", "hello", r#"{"type":"a"}}"#, r#"{"type":5,"data":[}"#, "{\"type\":\"a\nb\"}"] {
            assert_eq!(refused(text).0, "INVALID_JSON", "{text}");
        }
    }

    #[test]
    fn long_texts_and_deep_data_are_bounded() {
        let long = "x".repeat(1 << 20);
        for text in [format!(r#"{{"type":"{long}"}}"#), format!(r#"{{"type":"a","ref":"{long}"}}"#)] {
            let (code, message) = refused(&text);
            assert_eq!(code, "INVALID_ENVELOPE");
            assert!(message.len() < 300);
        }
        let deep = format!("{}{}", "[".repeat(1 << 20), "]".repeat(1 << 20));
        for text in [format!(r#"{{"type":"a","data":{deep}}}"#), format!(r#"{{"x":{deep},"type":"a"}}"#)] {
            assert!(read(&text).is_ok());
        }
        assert_eq!(refused(&"[".repeat(1 << 20)).0, "INVALID_JSON");
        assert_eq!(refused(&deep).0, "INVALID_ENVELOPE");
    }
}
