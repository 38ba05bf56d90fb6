#![expect(clippy::unwrap_used, dead_code, reason = "only the shapes of the types matter")]

use proptest::prelude::*;
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;

use super::*;
use crate::message::codec::packed_data;

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "kind", deny_unknown_fields)]
enum Deep {
    Leaf { id: String, x: Option<u8> },
    Inner { inner: Vec<Self> },
}

/// Returns the field and the rule of each mistake, such as `a.b[2] type`.
fn found<T: JsonSchema>(data: &str) -> Vec<(String, String)> {
    let mut report = ValidationReport::default();
    compare(&packed_data(data.as_bytes()).unwrap().0, schema_for!(T).as_value(), &mut report);
    let details = report.into_result().err().map(|error| error.details().to_vec()).unwrap_or_default();
    details.into_iter().map(|detail| (detail.field, detail.rule.into_owned())).collect()
}

#[test]
fn the_answer_to_deep_and_large_data_is_bounded() {
    let deep = |levels| format!("{}1{}", r#"{"kind":"Inner","inner":["#.repeat(levels), "]}".repeat(levels));
    assert_eq!((found::<Deep>(&deep(20)).len(), found::<Deep>(&deep(60)).len()), (1, 0));
    let unknown: String = (0..1000).map(|number| format!(r#""{number}":1,"#)).collect();
    assert_eq!(found::<Deep>(&format!(r#"{{{unknown}"kind":"Leaf","id":""}}"#)).len(), MAX_LISTED);
}

proptest! {
    #[test]
    fn refused_data_have_mistakes_and_each_is_at_a_place_of_theirs(
        data in any::<i8>().prop_map(Value::from).prop_recursive(5, 64, 6, |inner| {
            let name = proptest::sample::select(&["id", "kind", "Leaf", "Inner", "x", "inner"][..]);
            prop_oneof![
                name.clone().prop_map(Value::from),
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::hash_map(name.prop_map(str::to_owned), inner, 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        }),
    ) {
        let found = found::<Deep>(&data.to_string());
        prop_assert!(Deep::deserialize(&data).is_ok() || !found.is_empty(), "{}", data);
        for (field, rule) in found {
            let steps = field.split(['.', '[']).filter(|step| !step.is_empty());
            let pointer: String = steps.flat_map(|step| ["/", step.trim_end_matches(']')]).collect();
            let place = if rule == "required" { pointer.rsplit_once('/').unwrap_or_default().0 } else { &pointer };
            prop_assert!(data.pointer(place).is_some(), "{}: {} {}", data, field, rule);
        }
    }
}
