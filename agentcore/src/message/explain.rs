//! Explains why data do not fit their type: the cold path after decoding failed.
//!
//! serde stops at the first mistake, and knows no path inside flattened, internally tagged and untagged values. So the
//! data, as MessagePack whatever their codec is, are compared with the JSON Schema of the type.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt::Display;

use serde_json::{Map, Value};

use super::codec::tree::Tree;
use super::validate::{MAX_TEXT, ValidationReport};
use crate::error::excerpt;

/// The most mistakes, and the most names of a set, that are listed.
const MAX_LISTED: usize = 32;
/// Levels of values and alternatives in each other; deeper ones count as right, so that the stack suffices.
const MAX_DEPTH: usize = 160;
/// The most schemas that describe one value together: those of a recursive type refer to each other without end.
const MAX_SCHEMAS: usize = 64;
/// The schema that every value fits.
pub(super) const ANY: &Value = &Value::Bool(true);

/// Reports the mistakes of shape in MessagePack data: those against a schema, and values that JSON cannot write.
pub(super) fn compare(packed: &[u8], schema: &Value, report: &mut ValidationReport) {
    if let Some(tree) = Tree::take(&mut &*packed) {
        Comparison { root: schema, depth: 0 }.compare(&tree, schema, report);
    }
}

/// A schema document, and how deep in it a comparison is.
#[derive(Clone, Copy)]
struct Comparison<'a> {
    root: &'a Value,
    depth: usize,
}

impl<'a> Comparison<'a> {
    fn compare(self, value: &Tree<'_>, schema: &'a Value, report: &mut ValidationReport) {
        let inner = Self { depth: self.depth + 1, ..self };
        if inner.depth > MAX_DEPTH || report.len() >= MAX_LISTED {
            return;
        }
        let shape = self.shape(schema, false);
        if let Some((rule, text)) = value.unwritable().or_else(|| shape.mismatch(value)) {
            return report.broken(rule, text);
        }
        for (name, _) in shape.properties().filter(|_| value.is_object()) {
            match value.fields().filter(|(key, _)| *key == name).count() {
                0 if shape.all("required").any(|required| required == name) => {
                    report.key(&name, |report| report.broken("required", "is missing"));
                }
                0 | 1 => {}
                _ => report.key(&name, |report| report.broken("duplicate_field", "is there more than once")),
            }
        }
        for (name, field) in value.fields() {
            report.key(&excerpt(name, MAX_TEXT), |report| match shape.field(name) {
                Some(schema) => inner.compare(field, schema, report),
                None if shape.is_closed() && report.len() < MAX_LISTED => {
                    let known = self.shape(schema, true);
                    let names = one_of(known.properties().map(|(name, _)| name));
                    if known.field(name).is_none() {
                        report.broken("unknown_field", format!("is unknown; it {names}"));
                    }
                }
                None => {}
            });
        }
        for (index, element) in value.elements().iter().enumerate() {
            if let Some(schema) = shape.element(index) {
                report.index(index, |report| inner.compare(element, schema, report));
            }
        }
        for alternatives in shape.each("anyOf").chain(shape.each("oneOf")).filter_map(Value::as_array) {
            inner.compare_alternatives(value, alternatives, shape.properties().next().is_none(), report);
        }
    }

    /// Compares with the alternative that has the type, the tags and the required fields of the value.
    fn compare_alternatives(self, value: &Tree<'_>, all: &'a [Value], is_whole: bool, report: &mut ValidationReport) {
        let all: Vec<_> = all.iter().map(|schema| (schema, self.shape(schema, false))).collect();
        let has = |name: &str| value.field(name).is_some();
        let is_tag = |(name, tag): (&str, &Value)| value.field(name).is_some_and(|field| field.equals(tag));
        let fits = |shape: &Shape<'_>| shape.mismatch(value).is_none() && shape.tags().all(is_tag);
        let mut suited: Vec<_> = all.iter().filter(|(_, shape)| fits(shape)).collect();
        if suited.len() > 1 {
            suited.retain(|(_, shape)| shape.all("required").filter_map(Value::as_str).all(has));
        }
        match suited.as_slice() {
            [] => {}
            [(schema, _)] => return self.compare(value, schema, report),
            _ => return, // Nothing tells which one is meant.
        }
        let shapes = || all.iter().map(|(_, shape)| shape);
        if let Some((name, _)) = shapes().find_map(|shape| shape.tags().next()).filter(|_| value.is_object()) {
            let known = shapes().flat_map(Shape::tags).filter(|(tag, _)| *tag == name).map(|(_, value)| value);
            let missing = ("required", "is missing".to_owned());
            let (rule, text) = if has(name) { ("one_of", one_of(known)) } else { missing };
            return report.key(&name, |report| report.broken(rule, text));
        }
        let together = Shape(shapes().flat_map(|shape| shape.0.iter().copied()).collect());
        let variants = shapes().filter(|shape| shape.properties().count() == 1).flat_map(|shape| shape.all("required"));
        let names: Vec<_> = together.options().chain(variants).collect();
        match together.type_mismatch(value) {
            Some((rule, text)) => report.broken(rule, text),
            // Next to a flattened variant there are other fields, so its name cannot be told from theirs.
            None if is_whole && !names.is_empty() => report.broken("one_of", one_of(names)),
            None => {}
        }
    }

    /// Returns a schema with those that apply together with it; with `merged`, as if all alternatives applied.
    fn shape(self, schema: &'a Value, merged: bool) -> Shape<'a> {
        let (mut shape, mut pending) = (Shape(Vec::new()), vec![schema]);
        while let Some(schema) = pending.pop().filter(|_| shape.0.len() < MAX_SCHEMAS) {
            shape.0.extend(schema.as_object());
            let referred = schema.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
            pending.extend(referred.and_then(|pointer| self.root.pointer(pointer)));
            let joined = if merged { &["allOf", "anyOf", "oneOf"][..] } else { &["allOf"] };
            pending.extend(joined.iter().filter_map(|keyword| schema.get(keyword)?.as_array()).flatten());
        }
        shape
    }
}

/// The schemas that apply together to one value.
struct Shape<'a>(Vec<&'a Map<String, Value>>);

impl<'a> Shape<'a> {
    fn each(&self, keyword: &str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter_map(move |schema| schema.get(keyword))
    }

    /// Returns the values of a keyword, and those in its lists.
    fn all(&self, keyword: &str) -> impl Iterator<Item = &'a Value> {
        self.each(keyword).flat_map(|value| value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice))
    }

    fn properties(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.each("properties").filter_map(Value::as_object).flatten().map(|(name, schema)| (name.as_str(), schema))
    }

    /// Returns the schema of a field; `None` if the type does not read it.
    fn field(&self, name: &str) -> Option<&'a Value> {
        let named = self.properties().find(|(key, _)| *key == name).map(|(_, schema)| schema);
        let patterns = || self.each("patternProperties").find_map(|patterns| patterns.as_object()?.values().next());
        let others = || self.each("additionalProperties").find(|schema| *schema != false);
        named.or_else(patterns).or_else(others).or_else(|| self.free())
    }

    fn element(&self, index: usize) -> Option<&'a Value> {
        let first = self.each("prefixItems").find_map(|schemas| schemas.get(index));
        first.or_else(|| self.each("items").next()).or_else(|| self.free())
    }

    /// Returns the schema of what is inside a value that may be anything.
    fn free(&self) -> Option<&'a Value> {
        ["type", "anyOf", "oneOf"].iter().all(|keyword| self.each(keyword).next().is_none()).then_some(ANY)
    }

    fn is_closed(&self) -> bool {
        self.each("additionalProperties").chain(self.each("unevaluatedProperties")).any(|schema| schema == false)
    }

    /// Returns the fields that have one value only: the tags of a variant.
    fn tags(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.properties().filter_map(|(name, schema)| Some((name, schema.get("const")?)))
    }

    fn options(&self) -> impl Iterator<Item = &'a Value> {
        self.each("const").chain(self.all("enum"))
    }

    /// Returns the rule that a value breaks by itself, whatever it holds.
    fn mismatch(&self, value: &Tree<'_>) -> Option<(&'static str, String)> {
        let is_other = self.options().next().is_some() && !self.options().any(|option| value.equals(option));
        self.type_mismatch(value).or_else(|| is_other.then(|| ("one_of", one_of(self.options()))))
    }

    fn type_mismatch(&self, value: &Tree<'_>) -> Option<(&'static str, String)> {
        let types: BTreeSet<&str> = self.all("type").filter_map(Value::as_str).collect();
        let is_other = !types.is_empty() && !value.types().iter().any(|name| types.contains(name));
        let types = || types.into_iter().collect::<Vec<_>>().join(" or ");
        is_other.then(|| ("type", format!("must be of type {}{value}", types())))
    }
}

fn one_of(names: impl IntoIterator<Item = impl Display>) -> String {
    let names: Vec<String> = names.into_iter().take(MAX_LISTED).map(|name| name.to_string()).collect();
    format!("must be one of {}", names.join(", "))
}
