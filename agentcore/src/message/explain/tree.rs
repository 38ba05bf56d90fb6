//! JSON as a tree that can be mended: it keeps the order of entries and keys that are there twice.

use std::cell::Cell;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::placeholder::Placeholder;
use super::wording::cut;

/// At most so many values are looked at; what comes after them in a list counts as right.
const MAX_NODES: usize = 32_768;
/// Longer data are not read again: no run over them could be paid for.
const MAX_BYTES: usize = 1 << 20;
/// What is nested deeper counts as right; `serde_json` stops at 128.
const MAX_DEPTH: u8 = 100;
/// The longest part of a path that is shown, in characters.
const MAX_NAME: usize = 64;

/// The data, and what one run over them costs.
pub(super) struct Tree {
    pub(super) root: Node,
    /// About the number of values; long texts count for more than one.
    pub(super) cost: usize,
}

/// One value.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    /// It was put in or changed here: mistakes in it and below it are not the client's.
    pub(super) quiet: bool,
}

#[derive(Clone)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    /// Also a whole number that has more than 64 bits.
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
    Placeholder(Placeholder),
}

/// Reads `json`; `None` where it is too large or no JSON that `serde_json` could make values of.
pub(super) fn read(json: &str) -> Option<Tree> {
    if json.len() > MAX_BYTES {
        return None;
    }
    let budget = Cell::new(MAX_NODES);
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let root = Seed { budget: &budget, depth: MAX_DEPTH }.deserialize(&mut deserializer).ok()?;
    Some(Tree { root, cost: MAX_NODES - budget.get() + json.len() / 32 })
}

impl Node {
    /// A value that is right whatever it must be.
    pub(super) fn placeholder() -> Self {
        Self { value: Value::Placeholder(Placeholder::default()), quiet: true }
    }

    pub(super) fn at(&self, place: &[usize]) -> Option<&Self> {
        place.iter().try_fold(self, |node, index| node.child(*index))
    }

    pub(super) fn at_mut(&mut self, place: &[usize]) -> Option<&mut Self> {
        place.iter().try_fold(self, |node, index| match &mut node.value {
            Value::List(items) => items.get_mut(*index),
            Value::Object(entries) => entries.get_mut(*index).map(|(_, node)| node),
            _ => None,
        })
    }

    /// Whether the value at `place`, or one above it, is not the client's.
    pub(super) fn is_quiet(&self, place: &[usize]) -> bool {
        (0..=place.len()).any(|len| place.get(..len).and_then(|place| self.at(place)).is_none_or(|node| node.quiet))
    }

    pub(super) fn child(&self, index: usize) -> Option<&Self> {
        match &self.value {
            Value::List(items) => items.get(index),
            Value::Object(entries) => entries.get(index).map(|(_, node)| node),
            _ => None,
        }
    }

    /// How many values it has directly below it.
    pub(super) fn len(&self) -> usize {
        match &self.value {
            Value::List(items) => items.len(),
            Value::Object(entries) => entries.len(),
            _ => 0,
        }
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, index: usize) -> Option<()> {
        match &mut self.value {
            Value::Object(entries) if index < entries.len() => {
                entries.remove(index);
                Some(())
            }
            _ => None,
        }
    }

    /// `place` as people write it: `a.b[2]`.
    pub(super) fn path(&self, place: &[usize]) -> String {
        let mut path = String::new();
        let mut node = self;
        for index in place {
            match &node.value {
                Value::List(_) => path.push_str(&format!("[{index}]")),
                Value::Object(entries) => {
                    if let Some((name, _)) = entries.get(*index) {
                        push_name(&mut path, name);
                    }
                }
                _ => {}
            }
            let Some(child) = node.child(*index) else { break };
            node = child;
        }
        path
    }
}

/// Adds the name of a field to a path.
pub(super) fn push_name(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(&cut(name, MAX_NAME));
}

/// Reads one value within what is left of the bounds.
#[derive(Clone, Copy)]
struct Seed<'b> {
    budget: &'b Cell<usize>,
    depth: u8,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        let (Some(left), Some(depth)) = (self.budget.get().checked_sub(1), self.depth.checked_sub(1)) else {
            deserializer.deserialize_ignored_any(IgnoredAny)?;
            return Ok(Node::placeholder());
        };
        self.budget.set(left);
        let value = deserializer.deserialize_any(Self { depth, ..self })?;
        Ok(Node { value, quiet: false })
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Unsigned(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Signed(value))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while self.budget.get() > 0
            && let Some(item) = seq.next_element_seed(self)?
        {
            items.push(item);
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            // An entry cannot be left out as the rest of a list is: it would look missing.
            if self.budget.get() == 0 {
                return Err(A::Error::custom("too many values"));
            }
            entries.push((name, map.next_value_seed(self)?));
        }
        Ok(Value::Object(entries))
    }
}
