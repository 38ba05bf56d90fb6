//! Reads the envelope of a MessagePack message: a map with the keys `type`, `data` and `ref`, in any order.

use std::borrow::Cow;
use std::fmt::Display;

use rmp::decode::ValueReadError;

use super::{Envelope, refused_reference};
use crate::error::Error;
use crate::message::RawData;
use crate::message::codec::MAX_TYPE;
use crate::message::codec::scan::{cut_off, malformed, span};
use crate::message::codec::token::{Token, whole};

pub(super) fn read(mut input: &[u8]) -> Result<Envelope<'_>, Error> {
    let envelope = read_map(&mut input)?;
    if input.is_empty() { Ok(envelope) } else { Err(malformed("extra bytes follow the envelope")) }
}

fn read_map<'a>(input: &mut &'a [u8]) -> Result<Envelope<'a>, Error> {
    let keys = rmp::decode::read_map_len(input).map_err(|error| match error {
        ValueReadError::TypeMismatch(_) => {
            Error::invalid_envelope("the envelope must be a map with `type`, and optionally `data` and `ref`")
        }
        _ => cut_off(),
    })?;
    let (mut message_type, mut data, mut reference) = (None, None, None);
    for _ in 0..keys {
        match text(input).map_err(|wrong| wrong.unwrap_or_else(|| malformed("a key is not a string")))? {
            "type" if message_type.is_none() => {
                let not_a_string = || Error::invalid_envelope("`type` must be a string");
                message_type = Some(text(input).map_err(|wrong| wrong.unwrap_or_else(not_a_string))?);
            }
            "data" if data.is_none() => data = Some(span(input)?),
            "ref" if reference.is_none() => reference = Some(number(input)?),
            key @ ("type" | "data" | "ref") => {
                return Err(Error::invalid_envelope(format!("`{key}` appears twice")));
            }
            _ => {
                span(input)?;
            }
        }
    }
    let message_type = message_type.ok_or_else(|| Error::invalid_envelope("the envelope has no `type`"))?;
    if message_type.len() > MAX_TYPE {
        return Err(Error::invalid_envelope("`type` has more than 64 characters"));
    }
    Ok(Envelope {
        message_type: Cow::Borrowed(message_type),
        data: RawData::packed(data),
        reference: reference.flatten(),
    })
}

/// Reads a string; `Err(None)` when the value is of another type.
fn text<'a>(input: &mut &'a [u8]) -> Result<&'a str, Option<Error>> {
    use rmp::decode::DecodeStringError;
    let (text, rest) = rmp::decode::read_str_from_slice(*input).map_err(|error| match error {
        DecodeStringError::TypeMismatch(_) => None,
        DecodeStringError::InvalidUtf8(..) => Some(malformed("a string is not UTF-8")),
        _ => Some(cut_off()),
    })?;
    *input = rest;
    Ok(text)
}

fn number(input: &mut &[u8]) -> Result<Option<u64>, Error> {
    let token = Token::take(input).ok_or_else(cut_off)?;
    let refused = |number: Option<&dyn Display>| Err(Error::invalid_envelope(refused_reference(number)));
    match token {
        Token::Nil => Ok(None),
        Token::Unsigned(number) => Ok(Some(number)),
        Token::Signed(number) => u64::try_from(number).map(Some).or_else(|_| refused(Some(&number))),
        Token::Float(number) => match whole(number) {
            Some(Token::Unsigned(number)) => Ok(Some(number)),
            _ => refused(Some(&number)),
        },
        _ => refused(None),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn pack(value: &Value) -> Vec<u8> {
        rmp_serde::to_vec_named(value).unwrap()
    }

    fn refused(bytes: &[u8]) -> String {
        let error = read(bytes).unwrap_err();
        assert_eq!(error.code(), "INVALID_ENVELOPE");
        error.message().to_owned()
    }

    #[test]
    fn an_envelope_is_read_in_any_order_with_unknown_keys() {
        let bytes = pack(&json!({ "v": [1, {}], "ref": 7, "data": { "a": 1 }, "type": "chat" }));
        let envelope = read(&bytes).unwrap();
        assert_eq!((&*envelope.message_type, envelope.reference), ("chat", Some(7)));
        assert_eq!(envelope.data.as_bytes(), pack(&json!({ "a": 1 })));
        for number in [json!(7), json!(7.0)] {
            assert_eq!(read(&pack(&json!({ "type": "a", "ref": number }))).unwrap().reference, Some(7));
        }
        for value in [json!({ "type": "a" }), json!({ "type": "a", "data": null, "ref": null })] {
            let bytes = pack(&value);
            let envelope = read(&bytes).unwrap();
            assert_eq!((envelope.data.as_bytes(), envelope.reference), (&[0x80][..], None));
        }
    }

    #[test]
    fn a_malformed_envelope_is_refused_with_the_reason() {
        for (value, expected) in [
            (json!({}), "the envelope has no `type`"),
            (json!([1]), "the envelope must be a map"),
            (json!(7), "the envelope must be a map"),
            (json!({ "type": 5 }), "`type` must be a string"),
            (json!({ "type": "a", "ref": -1 }), "`ref` must be an integer"),
            (json!({ "type": "a", "ref": 1.5 }), "`ref` must be an integer from 0 to 18446744073709551615, not 1.5"),
            (json!({ "type": "a", "ref": 1e300 }), "`ref` must be an integer"),
            (json!({ "type": "a", "ref": "7" }), "`ref` must be an integer"),
            (json!({ "type": "a".repeat(65) }), "`type` has more than 64 characters"),
        ] {
            assert!(refused(&pack(&value)).starts_with(expected), "{value}: {}", refused(&pack(&value)));
        }
        let twice = [&[0x82][..], &pack(&json!("ref")), &[1], &pack(&json!("ref")), &[1]].concat();
        assert_eq!(refused(&twice), "`ref` appears twice");
        let mut behind = pack(&json!({ "type": "a" }));
        behind.push(0);
        assert!(refused(&behind).contains("extra bytes"));
        for cut in 0..behind.len() - 1 {
            refused(behind.get(..cut).unwrap());
        }
    }

    #[test]
    fn announced_depth_and_length_are_bounded() {
        let deep =
            [&[0x82][..], &pack(&json!("type")), &pack(&json!("a")), &pack(&json!("data")), &[0x91; 1 << 20]].concat();
        assert!(refused(&deep).contains("deeper"));
        // An array that announces 2^32 - 1 values and has none.
        let long = [&[0x82][..], &pack(&json!("data")), &[0xdd, 0xff, 0xff, 0xff, 0xff]].concat();
        refused(&long);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = read(&bytes).map(|envelope| envelope.data.read::<Value>());
        }
    }
}
