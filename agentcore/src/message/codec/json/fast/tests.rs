#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use serde::ser::{Error as _, SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::message::codec::tests::values;

use super::write_data;

/// Returns the written JSON or the text of the error, and checks that the bytes before it stay.
fn fast<T: Serialize>(value: &T) -> Result<String, String> {
    let mut buffer = b"before".to_vec();
    write_data(&mut buffer, value).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(buffer).unwrap().strip_prefix("before").unwrap().to_owned())
}

fn plain<T: Serialize>(value: &T) -> Result<String, String> {
    serde_json::to_string(value).map_err(|error| error.to_string())
}

/// A map that has one key twice.
struct Key<T>(T);

impl<T: Serialize> Serialize for Key<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(&self.0, &1)?;
        map.serialize_entry(&self.0, &2)?;
        map.end()
    }
}

/// A list that announces another number of values than it has.
struct Promise(usize);

impl Serialize for Promise {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0))?;
        list.serialize_element(&1)?;
        list.end()
    }
}

struct Shown(&'static str);

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("<{}\n{}>", self.0, 7))
    }
}

struct Octets(Vec<u8>);

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

/// Fails after its first value.
struct Broken;

impl Serialize for Broken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        list.serialize_element("first")?;
        Err(S::Error::custom("no second value"))
    }
}

#[derive(Serialize)]
struct Nothing;

#[derive(Serialize)]
struct Tuple(u8, f64);

#[derive(Serialize)]
struct Wrapped<T>(T);

#[derive(Serialize)]
enum Plain {
    Unit,
    One(u8),
    Two(u8, u8),
    Named { x: f32 },
}

#[derive(Serialize)]
#[serde(tag = "kind")]
enum Tagged {
    Unit,
    Named { x: f64 },
}

#[derive(Serialize)]
#[serde(tag = "kind", content = "value")]
enum Adjacent {
    Unit,
    Two(u8, u8),
}

#[derive(Serialize)]
struct Flat {
    first: u8,
    #[serde(flatten)]
    rest: BTreeMap<&'static str, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<u8>,
}

macro_rules! each_alone_and_as_a_key {
    ($($value:expr),* $(,)?) => {
        $(
            assert_eq!(fast(&$value), plain(&$value), "{}", stringify!($value));
            assert_eq!(fast(&Key($value)), plain(&Key($value)), "as a key: {}", stringify!($value));
        )*
    };
}

#[test]
fn every_kind_of_value_is_written_or_refused_as_by_serde_json() {
    each_alone_and_as_a_key![
        (),
        None::<u8>,
        Some(1),
        Some("x"),
        true,
        'x',
        '"',
        '\0',
        i8::MIN,
        i64::MIN,
        u64::MAX,
        i128::MIN,
        u128::MAX,
        Wrapped(1),
        Wrapped("a\""),
        Nothing,
        Tuple(1, 2.0),
        Plain::Unit,
        Plain::One(1),
        Plain::Two(1, 2),
        Plain::Named { x: 1.5 },
        Tagged::Unit,
        Tagged::Named { x: -0.0 },
        Adjacent::Unit,
        Adjacent::Two(1, 2),
        Octets(vec![]),
        Octets(vec![1, 255]),
        Shown("a\"\u{1}"),
        Promise(0),
        Promise(1),
        Promise(3),
        Broken,
        (1, "a"),
        [1, 2],
        Vec::<u8>::new(),
        vec![Some(1), None],
        BTreeMap::from([(1, 2), (3, 4)]),
        Duration::from_millis(1500),
        Path::new("a\"b"),
        Flat { first: 1, rest: BTreeMap::from([("rest", json!([1, null, {}]))]), last: None },
    ];
}

#[test]
fn floats_are_written_as_by_serde_json() {
    each_alone_and_as_a_key![f32::NAN, f64::NAN, f32::INFINITY, f64::NEG_INFINITY, -0.0_f32, -0.0_f64];
    for float in [0.1, 1e15, 1e16, 1e17, 1e21, 1e-5, 1e-6, 1e-7, 5e-324, f64::MAX, f64::MIN_POSITIVE, 16_777_216.0] {
        each_alone_and_as_a_key![float, -float];
    }
    for float in [0.1_f32, 1e10, 1e16, 1e-7, f32::MAX, f32::MIN_POSITIVE] {
        each_alone_and_as_a_key![float];
    }
}

#[test]
fn raw_json_is_written_unchanged() {
    let raw = RawValue::from_string(r#"{"a" : [1, 2]}"#.to_owned()).unwrap();
    assert_eq!(fast(&raw).unwrap(), r#"{"a" : [1, 2]}"#);
    let nested = BTreeMap::from([("price", json!("5 $")), ("raw", serde_json::to_value(&raw).unwrap())]);
    assert_eq!(fast(&(&nested, &raw)), plain(&(&nested, &raw)));
    // The private name in an ordinary text is written as any other text.
    let text = "$ and $serde_json::private::RawValue";
    assert_eq!(fast(&text), plain(&text));
}

#[test]
fn a_text_of_every_length_has_its_special_characters_escaped() {
    for special in ["\"", "\\", "\0", "\u{1f}", "\n", "\u{7f}", "é", "\u{2028}", "🎉"] {
        for len in 0..100 {
            // A boxed text ends with its allocation, so reading past it would be noticed.
            let text = format!("{}{special}{}", "x".repeat(len), "y".repeat(len % 7)).into_boxed_str();
            assert_eq!(fast(&text), plain(&text));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_value_is_written_as_by_serde_json(value in values()) {
        prop_assert_eq!(fast(&value), plain(&value));
    }

    #[test]
    fn any_float_is_written_as_by_serde_json(double: u64, single: u32) {
        let (double, single) = (f64::from_bits(double), f32::from_bits(single));
        prop_assert_eq!(fast(&double), plain(&double));
        prop_assert_eq!(fast(&single), plain(&single));
    }

    #[test]
    fn any_text_is_written_as_by_serde_json(text in r#"[ -~]{0,40}[\x00-\x20"\\é🎉]{0,9}[ -~é]{0,150}"#) {
        prop_assert_eq!(fast(&text), plain(&text));
    }
}
