//! Whatever the data, there is an answer, and it does not take long.

use proptest::prelude::*;

use super::*;

#[test]
fn nesting_deeper_than_the_limit_is_told() {
    let json = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    check::<serde_json::Value>(&json, &["|depth|the data is nested deeper than 128 levels"]);
    // Where nobody reads it, depth is no mistake.
    let json = format!(r#"{{"room":1,"ignored":{json},"text":"t"}}"#);
    check::<Say>(&json, &["room|type|must be a string, not a number"]);
}

#[test]
fn the_list_and_the_work_are_bounded() {
    let many = format!("[{}1]", "1,".repeat(100_000));
    assert!((1..=32).contains(&mistakes::<Vec<String>>(&many).len()));
    let wide: String = (0..3000).map(|i| format!(r#""k{i}":{i},"#)).collect();
    assert_eq!(mistakes::<Event>(&format!(r#"{{"kind":"moved",{wide}"x":1,"y":1}}"#)), ["by|required|is missing"]);
    let wide: String = (0..40_000).map(|i| format!(r#","k{i}":{i}"#)).collect();
    let told = "|value|the data is not valid: invalid type: integer `1`, expected a string at line 1 column 9";
    check::<Say>(&format!(r#"{{"room":1{wide}}}"#), &[told]);
    let text = "x".repeat(5_000_000);
    check::<Say>(
        &format!(r#"{{"room":1,"text":"{text}"}}"#),
        &["|value|the data is not valid: invalid type: integer `1`, expected a string at line 1 column 9"],
    );
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::{Value, json};
    let name = || {
        prop::sample::select(vec![
            "room",
            "text",
            "tags",
            "priority",
            "kind",
            "x",
            "y",
            "by",
            "t",
            "c",
            "points",
            "by_name",
            "by_number",
            "event",
            "adjacent",
            "either",
            "inner",
            "id",
            "Circle",
            "Path",
            "1",
            "moved",
            "named",
            "Say",
            "Number",
        ])
    };
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0_u64..300).prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        name().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(name(), inner, 0..6)
                .prop_map(|map| map.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #[test]
    fn a_failure_has_at_least_one_detail(value in json()) {
        fn try_as<T: DeserializeOwned>(json: &str) -> usize {
            match serde_json::from_str::<T>(json) {
                Ok(_) => 1,
                Err(error) => crate::message::explain::details::<T>(json, &error).len(),
            }
        }
        let json = value.to_string();
        prop_assert!(try_as::<Say>(&json) > 0);
        prop_assert!(try_as::<Strict>(&json) > 0);
        prop_assert!(try_as::<Deep>(&json) > 0);
        prop_assert!(try_as::<Flat>(&json) > 0);
        prop_assert!(try_as::<Event>(&json) > 0);
        prop_assert!(try_as::<Adjacent>(&json) > 0);
        prop_assert!(try_as::<Shape>(&json) > 0);
        prop_assert!(try_as::<Numbers>(&json) > 0);
    }

    #[test]
    fn any_text_is_answered(json in r#"[\[\]{}",:0-9a-z ]{0,40}"#) {
        if let Err(error) = serde_json::from_str::<Say>(&json) {
            prop_assert!(!crate::message::explain::details::<Say>(&json, &error).is_empty());
        }
    }
}
