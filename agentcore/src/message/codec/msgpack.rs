//! Envelopes in MessagePack: a map with the keys `type`, `data` and `ref`, in any order.

use std::borrow::Cow;

use rmp::Marker;
use rmp::decode::{NumValueReadError, RmpRead, ValueReadError};
use rmp_serde::config::{DefaultConfig, HumanReadableConfig};
use rmp_serde::decode::ReadRefReader;
use rmp_serde::{Deserializer, Serializer};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{EncodeError, Envelope, MAX_TYPE};
use crate::error::Error;
use crate::message::RawData;

/// How deeply data may be nested, as in JSON.
const MAX_DEPTH: usize = 128;

type Reader<'a> = Deserializer<ReadRefReader<'a, [u8]>, HumanReadableConfig<DefaultConfig>>;

/// Ids and times are texts in JSON, and so they are here: one shape in both codecs.
fn reader(bytes: &[u8]) -> Reader<'_> {
    let mut reader = Deserializer::from_read_ref(bytes).with_human_readable();
    reader.set_max_depth(MAX_DEPTH);
    reader
}

pub(super) fn read(mut input: &[u8]) -> Result<Envelope<'_>, Error> {
    let envelope = read_map(&mut input)?;
    if input.is_empty() { Ok(envelope) } else { Err(malformed("there are bytes behind the envelope")) }
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
        match text(input).map_err(|wrong| wrong.unwrap_or_else(|| malformed("a key is no text")))? {
            "type" if message_type.is_none() => {
                let no_text = || Error::invalid_envelope("`type` must be a text");
                message_type = Some(text(input).map_err(|wrong| wrong.unwrap_or_else(no_text))?);
            }
            "data" if data.is_none() => data = Some(span(input)?),
            "ref" if reference.is_none() => reference = Some(number(input)?),
            key @ ("type" | "data" | "ref") => {
                return Err(Error::invalid_envelope(format!("`{key}` is there twice")));
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

/// A text; `Err(None)` when there is something else.
fn text<'a>(input: &mut &'a [u8]) -> Result<&'a str, Option<Error>> {
    use rmp::decode::DecodeStringError;
    let (text, rest) = rmp::decode::read_str_from_slice(*input).map_err(|error| match error {
        DecodeStringError::TypeMismatch(_) => None,
        DecodeStringError::InvalidUtf8(..) => Some(malformed("a text is not UTF-8")),
        _ => Some(cut_off()),
    })?;
    *input = rest;
    Ok(text)
}

/// The bytes of the next value, whatever it is: nothing of it is decoded, or believed that is not there.
fn span<'a>(input: &mut &'a [u8]) -> Result<&'a [u8], Error> {
    let mut rest = *input;
    pass(&mut rest, &mut [0; MAX_DEPTH])?;
    let (value, rest) = input.split_at_checked(input.len() - rest.len()).ok_or_else(cut_off)?;
    *input = rest;
    Ok(value)
}

/// Whether arrays and maps stand in each other more than `levels` deep, in a value that was spanned.
pub(super) fn is_deeper(mut data: &[u8], levels: usize) -> bool {
    let mut open = [0; MAX_DEPTH];
    open.get_mut(..levels).is_some_and(|open| pass(&mut data, open).is_err())
}

/// Passes a value by. `open` says how many values are still to come on each level, and so how many levels there may be.
fn pass(rest: &mut &[u8], open: &mut [u64]) -> Result<(), Error> {
    let mut depth = 0;
    loop {
        if let Some(values) = skip(rest)? {
            let level = open.get_mut(depth).ok_or_else(|| malformed("it is nested deeper than 128 levels"))?;
            if values > 0 {
                *level = values;
                depth += 1;
                continue;
            }
        }
        while let Some(level) = depth.checked_sub(1).and_then(|above| open.get_mut(above)) {
            *level -= 1;
            if *level > 0 {
                break;
            }
            depth -= 1;
        }
        if depth == 0 {
            return Ok(());
        }
    }
}

/// Skips a marker and the bytes that belong to it; of an array or a map, returns how many values follow inside.
fn skip(input: &mut &[u8]) -> Result<Option<u64>, Error> {
    let marker = rmp::decode::read_marker(input).map_err(|_| cut_off())?;
    let (bytes, values) = match marker {
        Marker::FixPos(_) | Marker::FixNeg(_) | Marker::Null | Marker::True | Marker::False => (0, None),
        Marker::U8 | Marker::I8 => (1, None),
        Marker::U16 | Marker::I16 | Marker::FixExt1 => (2, None),
        Marker::FixExt2 => (3, None),
        Marker::U32 | Marker::I32 | Marker::F32 => (4, None),
        Marker::FixExt4 => (5, None),
        Marker::U64 | Marker::I64 | Marker::F64 => (8, None),
        Marker::FixExt8 => (9, None),
        Marker::FixExt16 => (17, None),
        Marker::FixStr(length) => (u64::from(length), None),
        Marker::Str8 | Marker::Bin8 => (length(input, 1)?, None),
        Marker::Str16 | Marker::Bin16 => (length(input, 2)?, None),
        Marker::Str32 | Marker::Bin32 => (length(input, 4)?, None),
        // One byte more says what kind of extension it is.
        Marker::Ext8 => (length(input, 1)? + 1, None),
        Marker::Ext16 => (length(input, 2)? + 1, None),
        Marker::Ext32 => (length(input, 4)? + 1, None),
        Marker::FixArray(length) => (0, Some(u64::from(length))),
        Marker::Array16 => (0, Some(length(input, 2)?)),
        Marker::Array32 => (0, Some(length(input, 4)?)),
        Marker::FixMap(length) => (0, Some(u64::from(length) * 2)),
        Marker::Map16 => (0, Some(length(input, 2)? * 2)),
        Marker::Map32 => (0, Some(length(input, 4)? * 2)),
        Marker::Reserved => return Err(malformed("it has a byte that begins no value")),
    };
    let bytes = usize::try_from(bytes).map_err(|_| cut_off())?;
    *input = input.get(bytes..).ok_or_else(cut_off)?;
    Ok(values)
}

/// Reads a number of `bytes` bytes, the most significant first.
fn length(input: &mut &[u8], bytes: usize) -> Result<u64, Error> {
    let (number, rest) = input.split_at_checked(bytes).ok_or_else(cut_off)?;
    *input = rest;
    Ok(number.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
}

fn number(input: &mut &[u8]) -> Result<Option<u64>, Error> {
    if input.first() == Some(&0xc0) {
        input.read_u8().map_err(|_| cut_off())?;
        return Ok(None);
    }
    rmp::decode::read_int(input).map(Some).map_err(|error| match error {
        NumValueReadError::TypeMismatch(_) | NumValueReadError::OutOfRange => {
            Error::invalid_envelope("`ref` must be a whole number from 0 to 18446744073709551615")
        }
        _ => cut_off(),
    })
}

fn cut_off() -> Error {
    malformed("it ends in the middle of a value")
}

fn malformed(what: &str) -> Error {
    Error::invalid_envelope(format!("the message is not MessagePack: {what}"))
}

pub(super) fn decode<T: DeserializeOwned>(data: &[u8]) -> Option<T> {
    T::deserialize(&mut reader(data)).ok()
}

pub(super) fn to_json(data: &[u8]) -> Result<String, Error> {
    let mut json = Vec::new();
    serde_transcode::transcode(&mut reader(data), &mut serde_json::Serializer::new(&mut json)).map_err(|error| {
        let text: String = error.to_string().chars().take(200).collect();
        Error::validation(format!("the data cannot be read: {text}"))
    })?;
    String::from_utf8(json).map_err(|_| Error::validation("the data has a text that is not UTF-8"))
}

pub(super) fn write<T: Serialize>(
    buffer: &mut Vec<u8>,
    message_type: &str,
    reference: Option<u64>,
    data: Option<&T>,
) -> Result<(), rmp_serde::encode::Error> {
    let keys = 1 + u32::from(reference.is_some()) + u32::from(data.is_some());
    rmp::encode::write_map_len(buffer, keys)?;
    rmp::encode::write_str(buffer, "type")?;
    rmp::encode::write_str(buffer, message_type)?;
    if let Some(reference) = reference {
        rmp::encode::write_str(buffer, "ref")?;
        rmp::encode::write_uint(buffer, reference)?;
    }
    if let Some(data) = data {
        rmp::encode::write_str(buffer, "data")?;
        write_data(buffer, data)?;
    }
    Ok(())
}

/// The type in an envelope that was written above.
pub(super) fn type_of(envelope: &[u8]) -> Option<&str> {
    let (map, rest) = envelope.split_first()?;
    let rest = (map & 0xf0 == 0x80).then(|| rest.strip_prefix(b"\xa4type"))??;
    let (len, text) = match rest {
        [0xd9, len, text @ ..] => (usize::from(*len), text),
        [fix @ 0xa0..=0xbf, text @ ..] => (usize::from(fix & 0x1f), text),
        _ => return None,
    };
    std::str::from_utf8(text.get(..len)?).ok()
}

pub(super) fn write_data<T: Serialize>(buffer: &mut Vec<u8>, data: &T) -> Result<(), rmp_serde::encode::Error> {
    data.serialize(&mut Serializer::new(buffer).with_human_readable().with_struct_map())
}

pub(super) fn transcode(json: &[u8], buffer: &mut Vec<u8>) -> Result<(), EncodeError> {
    let mut read = serde_json::Deserializer::from_slice(json);
    serde_transcode::transcode(&mut read, &mut Serializer::new(buffer).with_human_readable().with_struct_map())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test ends so")]

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::message::codec::tests::values;

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
        for value in [json!({ "type": "a" }), json!({ "type": "a", "data": null, "ref": null })] {
            let bytes = pack(&value);
            let envelope = read(&bytes).unwrap();
            assert_eq!((envelope.data.as_bytes(), envelope.reference), (&[0x80][..], None));
        }
    }

    #[test]
    fn what_is_no_envelope_is_refused_with_the_reason() {
        for (value, expected) in [
            (json!({}), "the envelope has no `type`"),
            (json!([1]), "the envelope must be a map"),
            (json!(7), "the envelope must be a map"),
            (json!({ "type": 5 }), "`type` must be a text"),
            (json!({ "type": "a", "ref": -1 }), "`ref` must be a whole number"),
            (json!({ "type": "a", "ref": 1.5 }), "`ref` must be a whole number"),
            (json!({ "type": "a", "ref": "7" }), "`ref` must be a whole number"),
            (json!({ "type": "a".repeat(65) }), "`type` has more than 64 characters"),
        ] {
            assert!(refused(&pack(&value)).starts_with(expected), "{value}: {}", refused(&pack(&value)));
        }
        let twice = [&[0x82][..], &pack(&json!("ref")), &[1], &pack(&json!("ref")), &[1]].concat();
        assert_eq!(refused(&twice), "`ref` is there twice");
        let mut behind = pack(&json!({ "type": "a" }));
        behind.push(0);
        assert!(refused(&behind).contains("bytes behind"));
        for cut in 0..behind.len() - 1 {
            refused(behind.get(..cut).unwrap());
        }
    }

    #[test]
    fn only_arrays_and_maps_are_levels() {
        for (value, levels) in [
            (json!(7), 0),
            (json!({}), 1),
            (json!({ "a": [1, [2]], "b": {} }), 3),
            (json!([[], [], [[]]]), 3),
            (json!(["[[[", 1, [0, 0]]), 2),
        ] {
            assert!(!is_deeper(&pack(&value), levels), "{value}");
            assert!(levels == 0 || is_deeper(&pack(&value), levels - 1), "{value}");
        }
    }

    #[test]
    fn deep_and_long_promises_do_no_harm() {
        let deep =
            [&[0x82][..], &pack(&json!("type")), &pack(&json!("a")), &pack(&json!("data")), &[0x91; 1 << 20]].concat();
        assert!(refused(&deep).contains("deeper"));
        // An array of 2^32 - 1 values that are not there.
        let long = [&[0x82][..], &pack(&json!("data")), &[0xdd, 0xff, 0xff, 0xff, 0xff]].concat();
        refused(&long);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = read(&bytes).map(|envelope| to_json(envelope.data.as_bytes()));
        }

        #[test]
        fn a_value_is_spanned_as_it_was_written(value in values(), behind: Vec<u8>) {
            let packed = pack(&value);
            let bytes = [&packed[..], &behind[..]].concat();
            let mut input = &bytes[..];
            prop_assert_eq!(span(&mut input).unwrap(), &packed[..]);
            prop_assert_eq!(input, &behind[..]);
        }

        #[test]
        fn a_value_survives_both_ways(value in values()) {
            let mut packed = Vec::new();
            transcode(value.to_string().as_bytes(), &mut packed).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Value>(&to_json(&packed).unwrap()).unwrap(), &value);
            prop_assert_eq!(&decode::<Value>(&packed).unwrap(), &value);
        }
    }
}
