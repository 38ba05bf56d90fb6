//! The serde deserializer of MessagePack data. It accepts what the one of JSON accepts, so that data mean the same in
//! both codecs: keys and variants are text, and there are no extensions and no floats that JSON cannot write. Binary
//! is a list of integers, as JSON writes it.

use serde::de::value::{BorrowedBytesDeserializer, BorrowedStrDeserializer, Error, MapDeserializer, SeqDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::{Deserialize as _, forward_to_deserialize_any};

use super::scan::{MAX_DEPTH, span};
use super::token::{Token, whole};

/// Levels of nesting that data may have, as in JSON: the envelope is a level too.
pub(in crate::message) const MAX_LEVELS: usize = MAX_DEPTH - 1;

/// The name under which serde_json's `RawValue` asks for JSON text.
const RAW_VALUE: &str = "$serde_json::private::RawValue";

/// Reads one value after the other.
pub(in crate::message) struct PackedReader<'de> {
    input: &'de [u8],
    /// Levels of nesting that are left.
    levels: usize,
    /// Whether floats without a fraction are integers, also where the reader does not know the type.
    has_whole_floats: bool,
}

impl<'de> PackedReader<'de> {
    pub(in crate::message) fn new(input: &'de [u8]) -> Self {
        Self { input, levels: MAX_LEVELS, has_whole_floats: false }
    }

    /// Also takes floats without a fraction for integers in fields that serde buffers before it knows their type:
    /// those of flattened, tagged and untagged types.
    pub(in crate::message) fn with_whole_floats(input: &'de [u8]) -> Self {
        Self { has_whole_floats: true, ..Self::new(input) }
    }

    fn take(&mut self) -> Result<Token<'de>, Error> {
        Token::take(&mut self.input).ok_or_else(|| Error::custom("it ends in the middle of a value"))
    }

    fn peek(&self) -> Option<Token<'de>> {
        Token::take(&mut &*self.input)
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        self.levels =
            self.levels.checked_sub(1).ok_or_else(|| Error::custom("it is nested more than 127 levels deep"))?;
        let value = read(self);
        self.levels += 1;
        value
    }

    /// Reads the elements of a list, or the fields of an object; the error is `too_many` if some are left.
    fn elements<T>(
        &mut self,
        length: u64,
        too_many: &str,
        read: impl FnOnce(&mut Elements<'_, 'de>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.nested(|reader| {
            let mut elements = Elements { reader, left: length };
            let value = read(&mut elements)?;
            if elements.left == 0 { Ok(value) } else { Err(Error::custom(too_many)) }
        })
    }

    fn visit<V: Visitor<'de>>(&mut self, token: Token<'de>, visitor: V) -> Result<V::Value, Error> {
        match token {
            Token::Nil => visitor.visit_unit(),
            Token::Bool(value) => visitor.visit_bool(value),
            Token::Unsigned(number) => visitor.visit_u64(number),
            Token::Signed(number) => visitor.visit_i64(number),
            Token::Float(number) if number.is_finite() => visitor.visit_f64(number),
            Token::Float(_) => Err(Error::custom("it must be a finite number")),
            Token::Text(text) => visitor.visit_borrowed_str(utf8(text)?),
            Token::Binary(bytes) => SeqDeserializer::new(bytes.iter().copied()).deserialize_any(visitor),
            Token::Extension(_) => Err(Error::custom("it must not be an extension")),
            Token::Array(length) => {
                self.elements(length, "a list has too many elements", |elements| visitor.visit_seq(elements))
            }
            Token::Map(length) => {
                self.elements(length, "an object has too many fields", |elements| visitor.visit_map(elements))
            }
        }
    }
}

fn utf8(text: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(text).map_err(|_| Error::custom("a text is not UTF-8"))
}

macro_rules! integers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.take()? {
                token @ Token::Float(number) => self.visit(whole(number).unwrap_or(token), visitor),
                token => self.visit(token, visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut PackedReader<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.take()? {
            token @ Token::Float(number) if self.has_whole_floats => {
                self.visit(whole(number).unwrap_or(token), visitor)
            }
            token => self.visit(token, visitor),
        }
    }

    integers! {
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let token = self.take()?;
        self.visit(token, visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.take()? {
            Token::Binary(bytes) | Token::Text(bytes) => visitor.visit_borrowed_bytes(bytes),
            token => self.visit(token, visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.peek() {
            Some(Token::Nil) => self.take().and_then(|_nil| visitor.visit_none()),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        if name != RAW_VALUE {
            return visitor.visit_newtype_struct(self);
        }
        let json = serde_json::Value::deserialize(self)?.to_string();
        visitor.visit_map(MapDeserializer::new(std::iter::once((RAW_VALUE, json))))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.take()? {
            Token::Text(name) => visitor.visit_enum(BorrowedStrDeserializer::new(utf8(name)?)),
            Token::Map(1) => self.nested(|reader| visitor.visit_enum(Variant(reader))),
            _ => Err(Error::custom("it must be the name of a variant, or an object with one variant")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        span(&mut self.input).map_err(Error::custom)?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { bool char str string unit unit_struct seq tuple tuple_struct map struct identifier }
}

/// The elements of a list, or the fields of an object.
struct Elements<'a, 'de> {
    reader: &'a mut PackedReader<'de>,
    left: u64,
}

impl Elements<'_, '_> {
    fn next(&mut self) -> bool {
        let has_next = self.left > 0;
        self.left = self.left.saturating_sub(1);
        has_next
    }
}

impl<'de> SeqAccess<'de> for &mut Elements<'_, 'de> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        if self.next() { seed.deserialize(&mut *self.reader).map(Some) } else { Ok(None) }
    }

    fn size_hint(&self) -> Option<usize> {
        usize::try_from(self.left).ok()
    }
}

impl<'de> MapAccess<'de> for &mut Elements<'_, 'de> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        if self.next() { key(self.reader).and_then(|key| seed.deserialize(key)).map(Some) } else { Ok(None) }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(&mut *self.reader)
    }
}

fn key<'de>(reader: &mut PackedReader<'de>) -> Result<Key<'de>, Error> {
    match reader.take()? {
        Token::Text(text) => utf8(text).map(Key),
        _ => Err(Error::custom("the keys of an object must be text")),
    }
}

/// The key of an object. Numbers and truth values are written as text, as in JSON.
struct Key<'de>(&'de str);

macro_rules! parsed {
    ($($method:ident $type:ty)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.0.parse::<$type>() {
                Ok(value) if value.to_string() == self.0 => value.into_deserializer().deserialize_any(visitor),
                _ => Err(Error::invalid_type(Unexpected::Str(self.0), &visitor)),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(self.0)
    }

    parsed! {
        deserialize_bool bool
        deserialize_u8 u8 deserialize_u16 u16 deserialize_u32 u32 deserialize_u64 u64 deserialize_u128 u128
        deserialize_i8 i8 deserialize_i16 i16 deserialize_i32 i32 deserialize_i64 i64 deserialize_i128 i128
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(BorrowedStrDeserializer::new(self.0))
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        BorrowedBytesDeserializer::new(self.0.as_bytes()).deserialize_bytes(visitor)
    }

    forward_to_deserialize_any! {
        f32 f64 char str string byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// An object with one field: the name of a variant, and its content.
struct Variant<'a, 'de>(&'a mut PackedReader<'de>);

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        let name = key(self.0)?;
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        <()>::deserialize(self.0)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_any(visitor)
    }
}
