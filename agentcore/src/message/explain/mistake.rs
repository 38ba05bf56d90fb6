//! One mistake, as serde reports it, and where it was made.

use std::fmt;

use serde::de::{Error, Expected, Unexpected};

use super::wording::cut;

/// The longest value that is quoted, in characters.
pub(super) const MAX_QUOTED: usize = 64;

/// Why a run ended.
#[derive(Debug, PartialEq)]
pub(super) struct Mistake {
    pub(super) kind: Kind,
    /// The positions of the values that lead to it, innermost first.
    path: Vec<usize>,
    /// The position of the entry whose key it is about; such a mistake is one of the object.
    pub(super) key: Option<usize>,
    pub(super) spot: Spot,
}

/// What the value was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spot {
    Value,
    /// The tag that decides what the object around it must be.
    Tag,
    /// The name of a variant: the text itself, or the only key of the object.
    Variant,
}

#[derive(Debug, PartialEq)]
pub(super) enum Kind {
    Missing(&'static str),
    Unknown {
        name: String,
        known: &'static [&'static str],
    },
    Duplicate(&'static str),
    /// A value of the wrong type.
    Type {
        got: Got,
        expected: String,
    },
    /// A value of the right type that cannot be.
    Value {
        got: Got,
        expected: String,
    },
    Length {
        len: usize,
        expected: String,
    },
    Variant {
        got: String,
        known: &'static [&'static str],
    },
    /// What a `Deserialize` of somebody's own says.
    Custom(String),
    /// A placeholder that goes deeper and deeper: a type that has no end.
    Endless,
}

/// What the client sent.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Got {
    Null,
    Bool(bool),
    Whole(i128),
    Number(f64),
    Text(String),
    List,
    Object,
    /// In serde's words.
    Other(String),
}

impl Mistake {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, path: Vec::new(), key: None, spot: Spot::Value }
    }

    /// The same, made in the value at `index` of the one around it.
    pub(super) fn within(mut self, index: usize) -> Self {
        self.path.push(index);
        self
    }

    /// The same, made in the key of the entry `index`.
    pub(super) fn of_key(mut self, index: usize) -> Self {
        self.key = Some(index);
        self
    }

    /// The same, made in the value itself, which was asked for as `spot`.
    pub(super) fn of_spot(mut self, spot: Spot) -> Self {
        if self.path.is_empty() && matches!(self.kind, Kind::Variant { .. }) {
            self.spot = spot;
        }
        self
    }

    /// Whether it was made in the value itself and not below it.
    pub(super) fn is_here(&self) -> bool {
        self.path.is_empty()
    }

    /// Where it was made, outermost first.
    pub(super) fn place(&self) -> Vec<usize> {
        self.path.iter().rev().copied().collect()
    }
}

impl Kind {
    /// Whether it is the mistake `other`, made with `got` in place of what was there.
    pub(super) fn is_alike(&self, other: &Self, got: &Got) -> bool {
        match (self, other) {
            (Self::Type { got: now, expected }, Self::Type { expected: before, .. })
            | (Self::Value { got: now, expected }, Self::Value { expected: before, .. }) => {
                now == got && expected == before
            }
            (Self::Variant { got: now, known }, Self::Variant { known: before, .. }) => {
                matches!(got, Got::Text(text) if text == now) && known == before
            }
            (Self::Type { got: now, .. }, Self::Length { .. }) => now == got,
            _ => false,
        }
    }
}

impl From<Unexpected<'_>> for Got {
    fn from(unexpected: Unexpected<'_>) -> Self {
        match unexpected {
            Unexpected::Bool(value) => Self::Bool(value),
            Unexpected::Unsigned(value) => Self::Whole(value.into()),
            Unexpected::Signed(value) => Self::Whole(value.into()),
            Unexpected::Float(value) => Self::Number(value),
            Unexpected::Char(value) => Self::Text(value.into()),
            Unexpected::Str(value) => Self::Text(cut(value, MAX_QUOTED).into_owned()),
            Unexpected::Unit | Unexpected::Option => Self::Null,
            Unexpected::Seq => Self::List,
            Unexpected::Map => Self::Object,
            other => Self::Other(cut(&other.to_string(), MAX_QUOTED).into_owned()),
        }
    }
}

impl Error for Mistake {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::new(Kind::Custom(cut(&text.to_string(), 200).into_owned()))
    }
    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Kind::Type { got: unexpected.into(), expected: expected.to_string() })
    }
    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Kind::Value { got: unexpected.into(), expected: expected.to_string() })
    }
    fn invalid_length(len: usize, expected: &dyn Expected) -> Self {
        Self::new(Kind::Length { len, expected: expected.to_string() })
    }
    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        Self::new(Kind::Variant { got: cut(variant, MAX_QUOTED).into_owned(), known })
    }
    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        Self::new(Kind::Unknown { name: name.to_owned(), known })
    }
    fn missing_field(name: &'static str) -> Self {
        Self::new(Kind::Missing(name))
    }
    fn duplicate_field(name: &'static str) -> Self {
        Self::new(Kind::Duplicate(name))
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.kind, f)
    }
}

impl std::error::Error for Mistake {}
