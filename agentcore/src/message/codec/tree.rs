//! MessagePack data as a tree, to explain what is wrong with them. It also holds what JSON cannot write.

use std::fmt;

use serde_json::Value;

use super::pack::{NO_TEXT, TOO_DEEP};
use super::token::{Token, whole};

/// A value with its children.
#[derive(Debug, PartialEq)]
pub(in crate::message) enum Tree<'a> {
    /// A value without children: every token except UTF-8 texts, arrays and maps.
    Leaf(Token<'a>),
    Text(&'a str),
    List(Vec<Self>),
    /// The fields in their order, with `None` for a key that is no text.
    Object(Vec<(Option<&'a str>, Self)>),
}

impl<'a> Tree<'a> {
    /// Takes a value off the input. Its nesting is known to be bounded; `None` when it is cut off.
    pub(in crate::message) fn take(input: &mut &'a [u8]) -> Option<Self> {
        Some(match Token::take(input)? {
            Token::Array(length) => Self::List((0..length).map(|_| Self::take(input)).collect::<Option<_>>()?),
            Token::Map(length) => {
                let mut field = || {
                    let key = match Self::take(input)? {
                        Self::Text(key) => Some(key),
                        _ => None,
                    };
                    Some((key, Self::take(input)?))
                };
                Self::Object((0..length).map(|_| field()).collect::<Option<_>>()?)
            }
            token @ Token::Text(text) => std::str::from_utf8(text).map_or(Self::Leaf(token), Self::Text),
            token => Self::Leaf(token),
        })
    }

    pub(in crate::message) fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// Returns the fields that have text as their key.
    pub(in crate::message) fn fields(&self) -> impl Iterator<Item = (&'a str, &Self)> {
        let fields = if let Self::Object(fields) = self { fields.as_slice() } else { &[] };
        fields.iter().filter_map(|(key, value)| Some(((*key)?, value)))
    }

    /// Returns the value of a field.
    pub(in crate::message) fn field(&self, name: &str) -> Option<&Self> {
        self.fields().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    pub(in crate::message) fn elements(&self) -> &[Self] {
        if let Self::List(elements) = self { elements } else { &[] }
    }

    /// Returns the types of JSON Schema that the value has.
    pub(in crate::message) fn types(&self) -> &'static [&'static str] {
        match self {
            Self::Leaf(Token::Nil) => &["null"],
            Self::Leaf(Token::Bool(_)) => &["boolean"],
            Self::Leaf(Token::Float(number)) if number.fract() != 0.0 => &["number"],
            Self::Leaf(Token::Float(_) | Token::Unsigned(_) | Token::Signed(_)) => &["integer", "number"],
            Self::Leaf(Token::Binary(_)) | Self::List(_) => &["array"],
            Self::Text(_) => &["string"],
            Self::Object(_) => &["object"],
            Self::Leaf(_) => &[],
        }
    }

    /// Returns whether the value equals one of a schema.
    pub(in crate::message) fn equals(&self, value: &Value) -> bool {
        match self {
            Self::Leaf(Token::Nil) => value.is_null(),
            Self::Leaf(Token::Bool(is)) => value.as_bool() == Some(*is),
            Self::Leaf(Token::Unsigned(number)) => value.as_u64() == Some(*number),
            Self::Leaf(Token::Signed(number)) => value.as_i64() == Some(*number),
            Self::Leaf(Token::Float(number)) => match whole(*number) {
                Some(integer) => Self::Leaf(integer).equals(value),
                None => value.as_f64() == Some(*number),
            },
            Self::Text(text) => value.as_str() == Some(*text),
            _ => false,
        }
    }

    /// Returns the rule that a value breaks which JSON cannot write, whatever its type must be.
    pub(in crate::message) fn unwritable(&self) -> Option<(&'static str, String)> {
        let (rule, text) = match self {
            Self::Leaf(Token::Float(number)) if !number.is_finite() => {
                ("type", "must be a number within the range of 64-bit floats")
            }
            Self::Leaf(Token::Extension(NO_TEXT)) => {
                ("value", "has half of a surrogate pair, such as `\\ud83d`, which is no character")
            }
            Self::Leaf(Token::Extension(TOO_DEEP)) => ("depth", "must not be nested deeper than 127 levels"),
            Self::Leaf(Token::Extension(_)) => ("type", "must not be an extension of MessagePack"),
            Self::Leaf(Token::Text(_)) => ("value", "must be text in UTF-8"),
            Self::Object(fields) if fields.iter().any(|(key, _)| key.is_none()) => {
                ("type", "must have keys that are text")
            }
            _ => return None,
        };
        Some((rule, text.to_owned()))
    }
}

/// Writes what a value is, where a value of another type must be: nothing for one whose form says it.
impl fmt::Display for Tree<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaf(Token::Unsigned(number)) => write!(f, ", not {number}"),
            Self::Leaf(Token::Signed(number)) => write!(f, ", not {number}"),
            Self::Leaf(Token::Float(number)) => write!(f, ", not {number:?}"),
            Self::Leaf(Token::Binary(_)) => f.write_str(", not binary"),
            _ => Ok(()),
        }
    }
}
