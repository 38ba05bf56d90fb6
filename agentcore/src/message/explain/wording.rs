//! A mistake in words for people, without the names of Rust types.

use std::borrow::Cow;

use super::mistake::{Got, Kind};
use super::tree::{Node, push_name};
use crate::error::ErrorDetail;

/// At most so many names are listed.
const MAX_LISTED: usize = 32;

/// The first `max` characters of a text, and a sign that there were more.
pub(super) fn cut(text: &str, max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

/// What a value must be, from what serde calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    Null,
    Bool,
    Whole,
    Number,
    Text,
    List,
    Object,
}

impl Want {
    /// Reads what a visitor says that it expects; `None` for words of somebody's own.
    pub(super) fn of(expected: &str) -> Option<Self> {
        Some(match expected {
            "unit" => Self::Null,
            "a boolean" => Self::Bool,
            "f32" | "f64" => Self::Number,
            "a string" | "a borrowed string" | "a character" | "variant identifier" | "field identifier" => Self::Text,
            "a sequence" | "a byte array" => Self::List,
            "a map"
            | "string or map"
            | "map with a single key"
            | "newtype variant"
            | "tuple variant"
            | "struct variant" => Self::Object,
            _ if whole(expected).is_some() => Self::Whole,
            _ if expected.starts_with("unit struct ") => Self::Null,
            _ if starts_with_any(expected, &["a tuple ", "tuple struct ", "tuple variant ", "an array "]) => Self::List,
            _ if starts_with_any(expected, &["struct ", "enum ", "internally tagged ", "adjacently tagged "]) => {
                Self::Object
            }
            _ => return None,
        })
    }
}

/// The detail for a mistake of the value at `place`.
pub(super) fn detail(root: &Node, place: &[usize], key: Option<usize>, kind: &Kind) -> ErrorDetail {
    let mut field = root.path(place);
    let (rule, mut message) = match kind {
        Kind::Missing(name) => {
            push_name(&mut field, name);
            ("required", "is missing".to_owned())
        }
        Kind::Unknown { name, known } => {
            push_name(&mut field, name);
            let known = if known.is_empty() { "there are no fields".to_owned() } else { one_of(known) };
            ("unknown_field", format!("is unknown; expected {known}"))
        }
        Kind::Duplicate(name) => {
            push_name(&mut field, name);
            ("duplicate_field", "is there twice".to_owned())
        }
        Kind::Type { got, expected } => ("type", must_be(expected, got, false)),
        Kind::Value { got, expected } => ("value", must_be(expected, got, true)),
        Kind::Length { len, expected } => ("length", length(expected, *len)),
        Kind::Variant { got, known } => ("one_of", format!("must be {}, not `{got}`", one_of(known))),
        Kind::Custom(text) if text.starts_with("data did not match any variant of untagged enum") => {
            ("value", "has none of the forms that it may have".to_owned())
        }
        Kind::Custom(text) => ("value", format!("is not valid: {text}")),
        Kind::Endless => ("value", "cannot be".to_owned()),
    };
    if let (Some(index), Kind::Type { .. } | Kind::Value { .. } | Kind::Custom(_) | Kind::Variant { .. }) = (key, kind)
    {
        field = root.path(&[place, &[index]].concat());
        message = format!("has a key that cannot be: it {message}");
    }
    if field.is_empty() {
        message = format!("the data {message}");
    }
    ErrorDetail { field, rule: rule.into(), message }
}

fn must_be(expected: &str, got: &Got, quote: bool) -> String {
    let want = Want::of(expected);
    let what: Cow<'_, str> = match (want, expected) {
        (_, "a character") => "a single character".into(),
        (_, "string or map" | "map with a single key") => "a string, or an object with a single key".into(),
        (_, "newtype variant" | "tuple variant" | "struct variant") => "an object that has its name as the key".into(),
        (Some(Want::Whole), _) => match whole(expected).filter(|_| matches!(got, Got::Whole(_) | Got::Number(_))) {
            Some((low, high)) if !matches!(got, Got::Number(value) if value.fract() != 0.0) => {
                format!("a whole number from {low} to {high}").into()
            }
            _ => "a whole number".into(),
        },
        (Some(Want::Null), _) => "null".into(),
        (Some(Want::Bool), _) => "true or false".into(),
        (Some(Want::Number), _) => "a number".into(),
        (Some(Want::Text), _) => "a string".into(),
        (Some(Want::List), _) => "a list".into(),
        (Some(Want::Object), _) => "an object".into(),
        (None, _) => cut(expected, 200),
    };
    let got: Cow<'_, str> = match got {
        Got::Null => "null".into(),
        Got::Bool(value) => value.to_string().into(),
        Got::Number(value) if want == Some(Want::Whole) || quote => value.to_string().into(),
        Got::Whole(value) if want == Some(Want::Whole) || quote => value.to_string().into(),
        Got::Whole(_) | Got::Number(_) => "a number".into(),
        Got::Text(text) if quote => format!("`{text}`").into(),
        Got::Text(_) => "a string".into(),
        Got::List => "a list".into(),
        Got::Object => "an object".into(),
        Got::Other(text) if text == "unit variant" => "a string alone".into(),
        Got::Other(text) => text.into(),
    };
    format!("must be {what}, not {got}")
}

fn length(expected: &str, len: usize) -> String {
    let number = expected.split(' ').find(|word| word.parse::<usize>().is_ok());
    match number {
        Some(number) => format!("must be a list of {number} values, not {len}"),
        None => format!("must be {}, not {len} values", cut(expected, 200)),
    }
}

fn one_of(names: &[&str]) -> String {
    let list: Vec<String> = names.iter().take(MAX_LISTED).map(|name| format!("`{name}`")).collect();
    let more = if names.len() > MAX_LISTED { ", …" } else { "" };
    match list.as_slice() {
        [one] => one.clone(),
        _ => format!("one of {}{more}", list.join(", ")),
    }
}

/// The bounds of a whole number type.
fn whole(expected: &str) -> Option<(i128, u128)> {
    let (low, high) = match expected.strip_prefix("a nonzero ").unwrap_or(expected) {
        "u8" => (0, u8::MAX.into()),
        "u16" => (0, u16::MAX.into()),
        "u32" => (0, u32::MAX.into()),
        "u64" | "usize" => (0, u64::MAX.into()),
        "u128" => (0, u128::MAX),
        "i8" => (i8::MIN.into(), i8::MAX.unsigned_abs().into()),
        "i16" => (i16::MIN.into(), i16::MAX.unsigned_abs().into()),
        "i32" => (i32::MIN.into(), i32::MAX.unsigned_abs().into()),
        "i64" | "isize" => (i64::MIN.into(), i64::MAX.unsigned_abs().into()),
        "i128" => (i128::MIN, i128::MAX.unsigned_abs()),
        _ => return None,
    };
    let low = if expected.starts_with("a nonzero ") && low == 0 { 1 } else { low };
    Some((low, high))
}

fn starts_with_any(text: &str, starts: &[&str]) -> bool {
    starts.iter().any(|start| text.starts_with(start))
}
