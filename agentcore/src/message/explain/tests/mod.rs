#![expect(clippy::panic, reason = "a test ends so")]
#![expect(dead_code, reason = "only the shape of the types matters")]

mod bounds;
mod tags;

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::id::UserId;
use crate::time::Timestamp;

/// The details for `json`, one line each: field, rule, message.
fn mistakes<T: DeserializeOwned>(json: &str) -> Vec<String> {
    match serde_json::from_str::<T>(json) {
        Ok(_) => panic!("there is no mistake in {json}"),
        Err(error) => super::details::<T>(json, &error)
            .into_iter()
            .map(|detail| format!("{}|{}|{}", detail.field, detail.rule, detail.message))
            .collect(),
    }
}

#[track_caller]
fn check<T: DeserializeOwned>(json: &str, expected: &[&str]) {
    assert_eq!(mistakes::<T>(json), expected, "{json}");
}

#[derive(Debug, Deserialize)]
struct Say {
    room: String,
    text: String,
    #[serde(default)]
    tags: Vec<String>,
    priority: Option<u8>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Strict {
    user_id: UserId,
    sent_at: Option<Timestamp>,
    #[serde(default, alias = "colour")]
    color: Option<Color>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Color {
    Red,
    Green,
}

#[derive(Debug, Deserialize)]
struct Point(f64, f64);

#[derive(Debug, Deserialize)]
struct Id(u64);

#[derive(Debug, Deserialize)]
enum Shape {
    Empty,
    Circle { center: Point, radius: f64 },
    Path(Vec<Point>),
    Line(Point, Point),
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Event {
    Moved { x: i32, y: i32, by: UserId },
    Named { name: String, color: Color, tags: Vec<String> },
    Gone,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    Number(u32),
    Say(Say),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Either {
    Number(u32),
    Say(Say),
}

#[derive(Debug, Deserialize)]
struct Flat {
    id: Id,
    #[serde(flatten)]
    say: Say,
    #[serde(flatten)]
    rest: HashMap<String, serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct Deep {
    points: Vec<Point>,
    by_name: BTreeMap<String, Say>,
    by_number: HashMap<u32, bool>,
    event: Event,
    adjacent: Option<Adjacent>,
    either: Option<Either>,
    inner: Option<Box<Deep>>,
}

#[derive(Debug, Deserialize)]
struct Unit;

#[derive(Debug, Deserialize)]
struct Numbers {
    a: u8,
    b: i64,
    c: u64,
    d: i128,
    e: f32,
    f: std::num::NonZeroU32,
    g: char,
    h: bool,
    i: u128,
}

#[test]
fn every_missing_field_is_listed() {
    check::<Say>("{}", &["room|required|is missing", "text|required|is missing"]);
    check::<Deep>(
        r#"{"points":[],"by_name":{"a":{"text":"x"},"b":{}},"by_number":{}}"#,
        &[
            "by_name.a.room|required|is missing",
            "by_name.b.room|required|is missing",
            "by_name.b.text|required|is missing",
            "event|required|is missing",
        ],
    );
}

#[test]
fn every_wrong_type_is_listed_with_what_is_missing() {
    check::<Say>(
        r#"{"room": 5, "tags": ["a", 1, null], "priority": "high"}"#,
        &[
            "room|type|must be a string, not a number",
            "tags[1]|type|must be a string, not a number",
            "tags[2]|type|must be a string, not null",
            "priority|type|must be a whole number, not a string",
            "text|required|is missing",
        ],
    );
    check::<Say>(
        r#"{"room":"r","text":true,"priority":300}"#,
        &["text|type|must be a string, not true", "priority|value|must be a whole number from 0 to 255, not 300"],
    );
}

#[test]
fn what_is_no_object_is_one_mistake() {
    for (json, got) in
        [("5", "a number"), ("\"x\"", "a string"), ("true", "true"), ("[]", "a list"), ("[1,2,3,4,5]", "a list")]
    {
        let expected = format!("|type|the data must be an object, not {got}");
        if json.len() < 6 {
            check::<Say>(json, &[&expected]);
        } else {
            // serde takes a list for the fields in their order.
            check::<Say>(
                json,
                &[
                    "[0]|type|must be a string, not a number",
                    "[1]|type|must be a string, not a number",
                    "[2]|type|must be a list, not a number",
                    &expected,
                ],
            );
        }
    }
    check::<Deep>(
        r#"{"points":7,"by_name":[],"by_number":null,"event":{"kind":"gone"}}"#,
        &[
            "points|type|must be a list, not a number",
            "by_name|type|must be an object, not a list",
            "by_number|type|must be an object, not null",
        ],
    );
}

#[test]
fn numbers_are_named_by_what_they_must_be() {
    check::<Numbers>(
        r#"{"a":-1,"b":1.5,"c":1e30,"d":"x","e":null,"f":0,"g":"ab","h":"true","i":340282366920938463463374607431768211455}"#,
        &[
            "a|value|must be a whole number from 0 to 255, not -1",
            "b|type|must be a whole number, not 1.5",
            "c|type|must be a whole number from 0 to 18446744073709551615, not 1000000000000000000000000000000",
            "d|type|must be a whole number, not a string",
            "e|type|must be a number, not null",
            "f|value|must be a whole number from 1 to 4294967295, not 0",
            "g|value|must be a single character, not `ab`",
            "h|type|must be true or false, not a string",
        ],
    );
    check::<Numbers>(
        "{}",
        &[
            "a|required|is missing",
            "b|required|is missing",
            "c|required|is missing",
            "d|required|is missing",
            "e|required|is missing",
            "f|required|is missing",
            "g|required|is missing",
            "h|required|is missing",
            "i|required|is missing",
        ],
    );
}

#[test]
fn unknown_and_double_fields_and_variants_are_named() {
    check::<Strict>(
        r#"{"userId":"","sent_at":1,"sentAt":"yesterday","sentAt":null,"color":"blue"}"#,
        &[
            "userId|value|is not valid: a user id must not be empty",
            "sent_at|unknown_field|is unknown; expected one of `userId`, `sentAt`, `color`, `colour`",
            "sentAt|value|is not valid: `yesterday` is no RFC 3339 date and time such as 2026-01-31T12:00:00.000Z",
            "sentAt|duplicate_field|is there twice",
            "color|one_of|must be one of `red`, `green`, not `blue`",
        ],
    );
    check::<Strict>(
        r#"{"userId":[1],"color":{"red":1}}"#,
        &["userId|type|must be a string, not a list", "color.red|type|must be null, not a number"],
    );
    check::<Strict>(
        r#"{"color":5,"sentAt":5}"#,
        &[
            "color|type|must be a string, or an object with a single key, not a number",
            "sentAt|type|must be a string, not a number",
            "userId|required|is missing",
        ],
    );
}

#[test]
fn values_of_the_client_are_cut() {
    let long = "x".repeat(100_000);
    let found = mistakes::<Strict>(&format!(r#"{{"{long}":1,"userId":"{long}","color":"{long}"}}"#));
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|line| line.len() < 300), "{found:?}");
    let shown = format!("color|one_of|must be one of `red`, `green`, not `{}…`", "x".repeat(64));
    assert_eq!(found.last(), Some(&shown));
}

#[test]
fn unit_structs_take_null_and_the_empty_object() {
    check::<Unit>("5", &["|type|the data must be null, not a number"]);
    check::<(Unit, u8)>(r#"[{},"x"]"#, &["[1]|type|must be a whole number, not a string"]);
}

#[test]
fn a_type_that_checks_its_fields_together_is_told_as_a_whole() {
    #[derive(Deserialize)]
    struct Plain {
        from: u32,
        to: u32,
    }
    #[derive(Debug, Deserialize)]
    #[serde(try_from = "Plain")]
    struct Range;
    impl TryFrom<Plain> for Range {
        type Error = String;
        fn try_from(plain: Plain) -> Result<Self, String> {
            if plain.from < plain.to { Ok(Self) } else { Err("`from` must be below `to`".to_owned()) }
        }
    }
    check::<HashMap<String, Range>>(r#"{"a":{"from":2,"to":1}}"#, &["a|value|is not valid: `from` must be below `to`"]);
}

#[test]
fn a_type_without_an_end_ends() {
    #[derive(Debug, Deserialize)]
    struct Chain(Vec<Chain>);
    #[derive(Debug, Deserialize)]
    enum Sum {
        Add(Box<Sum>, Box<Sum>),
        Number(u8),
    }
    check::<(Chain, Sum)>(
        r#"[[[1],2],{"Add":[{"Number":"x"},{"Sub":1}]}]"#,
        &[
            "[0][0][0]|type|must be a list, not a number",
            "[0][1]|type|must be a list, not a number",
            "[1].Add[0].Number|type|must be a whole number, not a string",
            "[1].Add[1]|one_of|must be one of `Add`, `Number`, not `Sub`",
        ],
    );
}

#[test]
fn what_cannot_be_read_at_all_is_told_in_serde_s_words() {
    check::<Say>(
        r#"{"room":"\ud800","text":""}"#,
        &["|value|the data is not valid: unexpected end of hex escape at line 1 column 16"],
    );
}
