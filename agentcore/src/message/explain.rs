//! Explains why data do not fit their type: the cold path after decoding failed.
//!
//! serde stops at the first mistake, and knows no path inside flattened, internally tagged and untagged values. So the
//! data are compared with the JSON Schema of the type, the one in the catalogue. Where the schema finds nothing wrong,
//! the decoder's first error is reported, such as that of an empty user id.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::codec::{Codec, decode_json, is_deeper};
use super::payload::Payload;
use super::validate::ValidationReport;
use crate::error::{Error, excerpt};

/// The longest data that are compared with their schema, in bytes: a tree of them takes up to 30 times the memory.
const MAX_COMPARED: usize = 256 * 1024;
/// The most mistakes, and the most names of a set, that are listed.
const MAX_LISTED: usize = 32;
/// Levels of values and alternatives in each other; deeper ones count as right, so that the stack suffices.
const MAX_DEPTH: usize = 160;
/// The most schemas that describe one value together: those of a recursive type refer to each other without end.
const MAX_SCHEMAS: usize = 64;
/// The longest text that is reported in characters: it may quote the client.
const MAX_TEXT: usize = 200;

/// Returns the error for JSON that could not be decoded as `P`, with the mistakes in its details.
pub(super) fn shape_error<P: Payload>(json: &str, error: &serde_json::Error) -> Error {
    mistakes::<P>(json, error).into_error()
}

/// Returns the error for data that are a list: messages are objects.
pub(super) fn list_error() -> Error {
    let mut report = ValidationReport::default();
    report.broken("type", "must be of type object");
    report.into_error()
}

/// Reports at least one mistake in `json`, which could not be decoded as `T` because of `error`.
fn mistakes<T: DeserializeOwned + JsonSchema>(json: &str, error: &serde_json::Error) -> ValidationReport {
    let mut report = ValidationReport::default();
    let value: Option<Value> = (json.len() <= MAX_COMPARED).then(|| decode_json(json).ok()).flatten();
    if let Some(value) = &value {
        let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
        Comparison { root: schema.as_value(), depth: 0 }.compare(value, schema.as_value(), &mut report);
    }
    if !report.is_empty() {
        return report;
    }
    if error.is_syntax() && is_deeper(Codec::Json, json.as_bytes(), 127) {
        report.broken("depth", "must not be nested deeper than 127 levels");
        return report;
    }
    // The errors of a tree do not speak of lines and columns.
    let of_tree = value.map(|value| serde_path_to_error::deserialize::<_, T>(value).err());
    // A tree holds one of two equal keys: if only the text is refused, such keys are the mistake.
    let is_repeated = error.is_data() && matches!(of_tree, Some(None));
    let refused = of_tree.flatten().or_else(|| {
        let mut reader = serde_json::Deserializer::from_slice(json.as_bytes());
        serde_path_to_error::deserialize::<_, T>(&mut reader).err()
    });
    let path = refused.as_ref().map(|refused| refused.path()).filter(|path| path.iter().len() > 0);
    let path = path.map(ToString::to_string).unwrap_or_default();
    let text = refused.map_or_else(|| error.to_string(), |refused| refused.into_inner().to_string());
    report.key(&excerpt(&path, MAX_TEXT), |report| match is_repeated {
        true => report.broken("duplicate_field", "has a field more than once"),
        false => report.broken("value", format!("is not valid: {}", excerpt(&text, MAX_TEXT))),
    });
    report
}

/// A schema document, and how deep in it a comparison is.
#[derive(Clone, Copy)]
struct Comparison<'a> {
    root: &'a Value,
    depth: usize,
}

impl<'a> Comparison<'a> {
    fn compare(self, value: &Value, schema: &'a Value, report: &mut ValidationReport) {
        let inner = Self { depth: self.depth + 1, ..self };
        if inner.depth > MAX_DEPTH || report.len() >= MAX_LISTED {
            return;
        }
        let shape = self.shape(schema, false);
        if let Some((rule, text)) = shape.mismatch(value) {
            return report.broken(rule, text);
        }
        for name in shape.required.iter().filter(|name| value.is_object() && value.get(**name).is_none()) {
            report.key(name, |report| report.broken("required", "is missing"));
        }
        for (name, field) in value.as_object().into_iter().flatten() {
            report.key(&excerpt(name, MAX_TEXT), |report| {
                match shape.fields.get(name.as_str()).copied().or(shape.others) {
                    Some(schema) => inner.compare(field, schema, report),
                    None if shape.is_closed => {
                        let known = self.shape(schema, true).fields;
                        if !known.contains_key(name.as_str()) {
                            report.broken("unknown_field", format!("is unknown; known fields: {}", list(known.keys())));
                        }
                    }
                    None => {}
                }
            });
        }
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            if let Some(schema) = shape.first_items.get(index).or(shape.items) {
                report.index(index, |report| inner.compare(item, schema, report));
            }
        }
        for alternatives in &shape.alternatives {
            inner.compare_alternatives(value, alternatives, shape.fields.is_empty(), report);
        }
    }

    /// Compares with the alternative that has the type, the tags and the required fields of the value.
    fn compare_alternatives(self, value: &Value, all: &'a [Value], is_whole: bool, report: &mut ValidationReport) {
        let all: Vec<_> = all.iter().map(|schema| (schema, self.shape(schema, false))).collect();
        let has_tags = |shape: &Shape<'_>| shape.tags().all(|(name, tag)| value.get(name) == Some(tag));
        let mut suited: Vec<_> =
            all.iter().filter(|(_, shape)| shape.mismatch(value).is_none() && has_tags(shape)).collect();
        if suited.len() > 1 {
            suited.retain(|(_, shape)| shape.required.iter().all(|name| value.get(*name).is_some()));
        }
        match suited.as_slice() {
            [] => {}
            [(schema, _)] => return self.compare(value, schema, report),
            // Nothing tells which one is meant.
            _ => return,
        }
        let all = || all.iter().map(|(_, shape)| shape);
        if let Some((tag, _)) = all().find_map(|shape| shape.tags().next()).filter(|_| value.is_object()) {
            let known = all().flat_map(Shape::tags).filter(|(name, _)| *name == tag).map(|(_, tag)| tag);
            return report.key(&tag, |report| match value.get(tag) {
                None => report.broken("required", "is missing"),
                Some(_) => report.broken("one_of", format!("must be one of {}", list(known))),
            });
        }
        let variants = all().filter(|shape| shape.fields.len() == 1).flat_map(|shape| &shape.required);
        let names = all().flat_map(|shape| &shape.options).map(|name| (*name).clone());
        let names: Vec<Value> = names.chain(variants.map(|name| Value::from(*name))).collect();
        let types = all().flat_map(|shape| &shape.types).copied().collect();
        match (Shape { types, ..Shape::default() }).mismatch(value) {
            Some((rule, text)) => report.broken(rule, text),
            // Next to a flattened variant there are other fields, so its name cannot be told from theirs.
            None if is_whole && !names.is_empty() => report.broken("one_of", format!("must be one of {}", list(names))),
            None => {}
        }
    }

    /// Collects what a schema says about one value; with `merged`, as if all alternatives applied.
    fn shape(self, schema: &'a Value, merged: bool) -> Shape<'a> {
        let (mut shape, mut pending, mut left) = (Shape::default(), vec![schema], MAX_SCHEMAS);
        while let (Some(schema), 1..) = (pending.pop(), left) {
            left -= 1;
            for (keyword, value) in schema.as_object().into_iter().flatten() {
                let (values, text) = (value.as_array().map_or(&[][..], Vec::as_slice), value.as_str());
                match keyword.as_str() {
                    "$ref" => pending.extend(text.and_then(|text| self.root.pointer(text.strip_prefix('#')?))),
                    "allOf" => pending.extend(values),
                    "anyOf" | "oneOf" if merged => pending.extend(values),
                    "anyOf" | "oneOf" => shape.alternatives.push(values),
                    "type" => shape.types.extend(values.iter().filter_map(Value::as_str).chain(text)),
                    "const" => shape.options.push(value),
                    "enum" => shape.options.extend(values),
                    "required" => shape.required.extend(values.iter().filter_map(Value::as_str)),
                    "properties" => {
                        let fields = value.as_object().into_iter().flatten();
                        shape.fields.extend(fields.map(|(name, schema)| (name.as_str(), schema)));
                    }
                    "patternProperties" => {
                        shape.others = value.as_object().and_then(|patterns| patterns.values().next());
                    }
                    "additionalProperties" | "unevaluatedProperties" if value.is_boolean() => {
                        shape.is_closed |= value == false;
                    }
                    "additionalProperties" => shape.others = Some(value),
                    "items" => shape.items = Some(value),
                    "prefixItems" => shape.first_items = values,
                    _ => {}
                }
            }
        }
        shape
    }
}

/// The keywords of a schema, and of all schemas that apply together with it, about the shape of one value.
#[derive(Default)]
struct Shape<'a> {
    types: BTreeSet<&'a str>,
    /// The values of `const` and `enum`.
    options: Vec<&'a Value>,
    fields: BTreeMap<&'a str, &'a Value>,
    required: Vec<&'a str>,
    /// The schema of fields without a name of their own.
    others: Option<&'a Value>,
    is_closed: bool,
    items: Option<&'a Value>,
    first_items: &'a [Value],
    alternatives: Vec<&'a [Value]>,
}

impl<'a> Shape<'a> {
    /// Returns the rule that a value breaks by itself, whatever it holds.
    fn mismatch(&self, value: &Value) -> Option<(&'static str, String)> {
        let types: &[&str] = match value {
            Value::Null => &["null"],
            Value::Bool(_) => &["boolean"],
            Value::Number(number) if number.as_f64().is_some_and(|number| number.fract() != 0.0) => &["number"],
            Value::Number(_) => &["number", "integer"],
            Value::String(_) => &["string"],
            Value::Array(_) => &["array"],
            Value::Object(_) => &["object"],
        };
        if !self.types.is_empty() && !types.iter().any(|name| self.types.contains(name)) {
            let types: Vec<&str> = self.types.iter().copied().collect();
            return Some(("type", format!("must be of type {}", types.join(" or "))));
        }
        let is_other = !self.options.is_empty() && !self.options.contains(&value);
        is_other.then(|| ("one_of", format!("must be one of {}", list(&self.options))))
    }

    /// Returns the fields that have one value only: the tags of a variant.
    fn tags(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.fields.iter().filter_map(|(name, schema)| Some((*name, schema.get("const")?)))
    }
}

fn list(names: impl IntoIterator<Item = impl Display>) -> String {
    let names: Vec<String> = names.into_iter().take(MAX_LISTED).map(|name| name.to_string()).collect();
    names.join(", ")
}
