#![expect(dead_code, reason = "only the shapes of the types matter")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::id::UserId;

#[derive(Debug, Deserialize, JsonSchema)]
struct Say {
    room: String,
    #[serde(default)]
    tags: Vec<String>,
    priority: Option<u8>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Color {
    Red,
    Rgb(u8, u8, u8),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Event {
    Moved { x: i32, by: UserId },
    Said(Say),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    Number(u32),
    Say(Say),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Either {
    Number(u32),
    Say(Say),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Flat {
    id: UserId,
    #[serde(flatten)]
    event: Event,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Deep {
    colors: Option<Vec<Color>>,
    by_name: Option<BTreeMap<String, Say>>,
    by_number: Option<BTreeMap<u32, bool>>,
    adjacent: Option<Adjacent>,
    either: Option<Either>,
    inner: Option<Box<Deep>>,
}

/// Returns the field and the rule of each mistake, such as `a.b[2] type`.
fn found<T: DeserializeOwned + JsonSchema>(json: &str) -> Vec<String> {
    let error = serde_json::from_str::<T>(json).err().map(|error| mistakes::<T>(json, &error).into_error());
    let details = error.map(|error| error.details().to_vec()).unwrap_or_default();
    assert!(details.iter().all(|detail| detail.message.len() < 400 && !detail.message.is_empty()), "{details:?}");
    details.into_iter().map(|detail| format!("{} {}", detail.field, detail.rule)).collect()
}

#[test]
fn every_mistake_of_shape_is_found_at_its_path() {
    assert_eq!(found::<Say>("{}"), ["room required"]);
    assert_eq!(
        found::<Say>(r#"{"tags":["a",1,null],"priority":"x"}"#),
        ["room required", "priority type", "tags[1] type", "tags[2] type"]
    );
    assert_eq!(found::<Say>("7"), [" type"]);
    assert_eq!(found::<Event>(r#"{"kind":"moved","x":1.5}"#), ["by required", "x type"]);
    assert_eq!(found::<Event>(r#"{"kind":"said","tags":0}"#), ["room required", "tags type"]);
    for (json, expected) in
        [(r#"{}"#, "kind required"), (r#"{"kind":"flown"}"#, "kind one_of"), (r#"{"kind":5}"#, "kind one_of")]
    {
        assert_eq!(found::<Event>(json), [expected], "{json}");
    }
    assert_eq!(found::<Flat>(r#"{"id":"a","kind":"moved","x":"a","by":"b"}"#), ["x type"]);
    assert_eq!(found::<Flat>(r#"{"id":"a","kind":"moved","x":1,"by":"b","more":1}"#), ["more unknown_field"]);
    for (json, expected) in [
        (
            r#"{"colors":["red","blue",{"rgb":[1,2,"3"]},{"hsl":[]},5]}"#,
            &[
                "colors[1] one_of",
                "colors[2].rgb[2] type",
                "colors[3].rgb required",
                "colors[3].hsl unknown_field",
                "colors[4] type",
            ][..],
        ),
        (r#"{"by_name":{"a":{"room":1}},"by_number":{"7":0}}"#, &["by_name.a.room type", "by_number.7 type"]),
        (r#"{"adjacent":{"t":"Say","c":{}},"either":{"room":1}}"#, &["adjacent.c.room required", "either.room type"]),
        (r#"{"adjacent":{"t":"None"},"either":"x"}"#, &["adjacent.t one_of", "either type"]),
        (r#"{"inner":{"inner":{"inner":{"outer":1}}}}"#, &["inner.inner.inner.outer unknown_field"]),
    ] {
        assert_eq!(found::<Deep>(json), expected, "{json}");
    }
}

#[test]
fn a_mistake_that_no_schema_describes_is_found_by_the_decoder() {
    assert_eq!(found::<BTreeMap<String, UserId>>(r#"{"a":""}"#), ["a value"]);
    assert_eq!(found::<Say>(r#"{"room":"","room":""}"#), [" duplicate_field"]);
    assert_eq!(found::<Say>(r#"{"room":"\ud800"}"#), ["room value"]);
    assert_eq!(found::<BTreeMap<u32, u8>>(r#"{"x":1}"#).len(), 1);
}

#[test]
fn deep_large_and_wrong_data_have_a_short_answer() {
    let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(found::<Value>(&nested(200)), [" depth"]);
    assert_eq!(found::<Say>(&format!(r#"{{"room":1,"ignored":{}}}"#, nested(200))), ["room value"]);
    let deep = format!("{}1{}", r#"{"inner":"#.repeat(126), "}".repeat(126));
    assert_eq!(found::<Deep>(&deep).len(), 1);
    assert_eq!(found::<Vec<String>>(&format!("[{}1]", "1,".repeat(100_000))).len(), 32);
    assert_eq!(found::<Say>(&format!(r#"{{"room":1,"text":"{}"}}"#, "x".repeat(1 << 20))), ["room value"]);
    assert_eq!(found::<Deep>(&format!(r#"{{"{}":1}}"#, "x".repeat(100_000))).len(), 1);
}

/// JSON of the names and values that occur in the types above, so that parts of it fit.
fn nearly_right() -> impl Strategy<Value = Value> {
    const NAMES: [&str; 16] = [
        "id", "kind", "moved", "said", "x", "by", "room", "tags", "colors", "red", "rgb", "adjacent", "t", "c", "Say",
        "either",
    ];
    let name = proptest::sample::select(&NAMES[..]);
    let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), (-2..300).prop_map(Value::from)];
    prop_oneof![leaf, name.clone().prop_map(Value::from)].prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map(name.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Checks that each mistake is at a value of the data, or at a field that one of their objects lacks.
fn assert_explained<T: DeserializeOwned + JsonSchema>(data: &Value) {
    let json = data.to_string();
    let Err(error) = serde_json::from_str::<T>(&json) else { return };
    let error = mistakes::<T>(&json, &error).into_error();
    assert!((1..=MAX_LISTED).contains(&error.details().len()), "{json}: {:?}", error.details());
    for detail in error.details() {
        let steps =
            detail.field.split(['.', '[']).map(|step| step.trim_end_matches(']')).filter(|step| !step.is_empty());
        let pointer: String = steps.flat_map(|step| ["/", step]).collect();
        let (object, _) = pointer.rsplit_once('/').unwrap_or_default();
        match detail.rule.as_ref() {
            _ if detail.field.is_empty() => {}
            "required" => assert!(data.pointer(object).is_some_and(Value::is_object), "{json}: {detail:?}"),
            _ => assert!(data.pointer(&pointer).is_some(), "{json}: {detail:?}"),
        }
        assert!(detail.message.len() < 400, "{json}: {detail:?}");
    }
}

proptest! {
    #[test]
    fn refused_data_have_a_mistake_and_each_is_at_a_place_of_theirs(data in nearly_right()) {
        assert_explained::<Event>(&data);
        assert_explained::<Flat>(&data);
        assert_explained::<Deep>(&data);
        assert_explained::<Vec<Either>>(&data);
    }
}
