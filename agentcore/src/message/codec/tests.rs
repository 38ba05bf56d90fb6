//! Values for the property tests of the codecs.

use proptest::prelude::*;
use serde_json::Value;

/// Generates JSON values: short and long texts, plain and escaped, numbers of every bit pattern, known and unknown
/// keys.
pub(in crate::message) fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<u64>().prop_map(|bits| Value::from(f64::from_bits(bits))),
        any::<f64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        ".{0,80}".prop_map(Value::from),
        r#"["\\\x00-\x7f]{0,70}"#.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        let keys = prop_oneof![".{0,40}", "[a-z]{0,4}|type|data|ref"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(keys, inner, 0..8).prop_map(|map| map.into_iter().collect()),
        ]
    })
}
