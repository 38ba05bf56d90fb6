//! Scans encoded values without decoding them, to find where a value ends and how deeply it is nested.

use super::token::Token;
use crate::error::Error;

/// Levels of nesting that MessagePack may have, as in JSON.
pub(super) const MAX_DEPTH: usize = 128;

/// Takes the bytes of the next value off the input. It decodes nothing, and trusts no length beyond the input.
pub(in crate::message) fn span<'a>(input: &mut &'a [u8]) -> Result<&'a [u8], Error> {
    let mut rest = *input;
    pass(&mut rest, &mut [0; MAX_DEPTH])?;
    let (value, rest) = input.split_at_checked(input.len() - rest.len()).ok_or_else(cut_off)?;
    *input = rest;
    Ok(value)
}

/// Returns whether a text, known to be JSON, is nested more than `levels` deep.
pub(super) fn json_is_deeper(text: &[u8], levels: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text {
        match (in_string, *byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => {
                depth += 1;
                if depth > levels {
                    return true;
                }
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Returns whether a value that [`span`] returned is nested more than `levels` deep.
pub(super) fn packed_is_deeper(mut data: &[u8], levels: usize) -> bool {
    let mut open = [0; MAX_DEPTH];
    open.get_mut(..levels).is_some_and(|open| pass(&mut data, open).is_err())
}

/// Skips a value. `open` counts the values still expected on each level; its length is the limit of levels.
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

/// Skips a token. For an array or a map, returns the number of values inside.
fn skip(input: &mut &[u8]) -> Result<Option<u64>, Error> {
    let is_reserved = input.first() == Some(&0xc1);
    match Token::take(input) {
        Some(Token::Array(length)) => Ok(Some(length)),
        Some(Token::Map(length)) => Ok(Some(length * 2)),
        Some(_) => Ok(None),
        None if is_reserved => Err(malformed("a byte starts no value")),
        None => Err(cut_off()),
    }
}

pub(in crate::message) fn cut_off() -> Error {
    malformed("it ends in the middle of a value")
}

pub(in crate::message) fn malformed(what: &str) -> Error {
    Error::invalid_envelope(format!("the message is not MessagePack: {what}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::message::codec::tests::values;

    fn pack(value: &Value) -> Vec<u8> {
        rmp_serde::to_vec_named(value).unwrap()
    }

    #[test]
    fn brackets_inside_json_strings_are_not_levels() {
        for (text, levels) in [
            ("7", 0),
            ("{}", 1),
            (r#"{"a":[1,[2]],"b":{}}"#, 3),
            (r#"[[],[],[[]]]"#, 3),
            (r#"{"a":"[[[{{\"[[","b\\":"]]"}"#, 1),
            (r#"["\\",["\\\"["]]"#, 2),
        ] {
            assert!(!json_is_deeper(text.as_bytes(), levels), "{text}");
            assert!(levels == 0 || json_is_deeper(text.as_bytes(), levels - 1), "{text}");
        }
        assert!(json_is_deeper("[".repeat(1 << 20).as_bytes(), 1 << 10));
    }

    #[test]
    fn only_arrays_and_maps_are_levels_of_messagepack() {
        for (value, levels) in [
            (json!(7), 0),
            (json!({}), 1),
            (json!({ "a": [1, [2]], "b": {} }), 3),
            (json!([[], [], [[]]]), 3),
            (json!(["[[[", 1, [0, 0]]), 2),
        ] {
            assert!(!packed_is_deeper(&pack(&value), levels), "{value}");
            assert!(levels == 0 || packed_is_deeper(&pack(&value), levels - 1), "{value}");
        }
    }

    proptest! {
        #[test]
        fn a_span_ends_where_its_value_ends(value in values(), behind: Vec<u8>) {
            let packed = pack(&value);
            let bytes = [&packed[..], &behind[..]].concat();
            let mut input = &bytes[..];
            prop_assert_eq!(span(&mut input).unwrap(), &packed[..]);
            prop_assert_eq!(input, &behind[..]);
        }
    }
}
