//! Decodes from a tree. Every error says in which value it was made.

use serde::de::value::{MapDeserializer, StrDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};

use super::mistake::{Got, Kind, Mistake, Spot};
use super::tree::{Node, Value};

/// The name by which `serde_json` asks for an undecoded value.
const RAW_VALUE: &str = "$serde_json::private::RawValue";

/// Reads one value as `serde_json` would.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a Node);

impl Reader<'_> {
    fn unexpected(&self) -> Unexpected<'_> {
        match &self.0.value {
            Value::Null | Value::Placeholder(_) => Unexpected::Unit,
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Unsigned(value) => Unexpected::Unsigned(*value),
            Value::Signed(value) => Unexpected::Signed(*value),
            Value::Float(value) => Unexpected::Float(*value),
            Value::Text(text) => Unexpected::Str(text),
            Value::List(_) => Unexpected::Seq,
            Value::Object(_) => Unexpected::Map,
        }
    }

    fn refuse<T>(&self, expected: &dyn Expected) -> Result<T, Mistake> {
        Err(Mistake::invalid_type(self.unexpected(), expected))
    }

    fn is_empty_object(&self) -> bool {
        matches!(&self.0.value, Value::Object(entries) if entries.is_empty())
    }
}

/// Methods that take only some kinds of JSON, even where the visitor would take more.
macro_rules! read {
    ($($kind:pat => $method:ident($($name:ident: $type:ty),*);)*) => {$(
        fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, Mistake> {
            match &self.0.value {
                Value::Placeholder(placeholder) => placeholder.$method($($name,)* visitor),
                $kind => self.deserialize_any(visitor),
                _ => self.refuse(&visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Mistake;

    read! {
        Value::Bool(_) => deserialize_bool();
        Value::Unsigned(_) | Value::Signed(_) | Value::Float(_) => deserialize_i8();
        Value::Unsigned(_) | Value::Signed(_) | Value::Float(_) => deserialize_i16();
        Value::Unsigned(_) | Value::Signed(_) | Value::Float(_) => deserialize_i32();
        Value::Unsigned(_) | Value::Signed(_) | Value::Float(_) => deserialize_i64();
        Value::Unsigned(_) | Value::Signed(_) | Value::Float(_) => deserialize_u8();
        Value::Unsigned(_) | Value::Signed(_) | Value::Float(_) => deserialize_u16();
        Value::Unsigned(_) | Value::Signed(_) | Value::Float(_) => deserialize_u32();
        Value::Unsigned(_) | Value::Signed(_) | Value::Float(_) => deserialize_u64();
        Value::Unsigned(_) | Value::Signed(_) | Value::Float(_) => deserialize_f32();
        Value::Unsigned(_) | Value::Signed(_) | Value::Float(_) => deserialize_f64();
        Value::Text(_) => deserialize_char();
        Value::Text(_) => deserialize_str();
        Value::Text(_) => deserialize_string();
        Value::Text(_) | Value::List(_) => deserialize_bytes();
        Value::Text(_) | Value::List(_) => deserialize_byte_buf();
        Value::List(_) => deserialize_seq();
        Value::List(_) => deserialize_tuple(len: usize);
        Value::List(_) => deserialize_tuple_struct(name: &'static str, len: usize);
        Value::Object(_) => deserialize_map();
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match &self.0.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Unsigned(value) => visitor.visit_u64(*value),
            Value::Signed(value) => visitor.visit_i64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::List(items) => {
                let mut rest = Items { items, next: 0 };
                let value = visitor.visit_seq(&mut rest)?;
                if rest.next < items.len() {
                    let expected = format!("a list of {} values", rest.next);
                    return Err(Mistake::new(Kind::Length { len: items.len(), expected }));
                }
                Ok(value)
            }
            Value::Object(entries) => visitor.visit_map(Entries { entries, next: 0 }),
            Value::Placeholder(placeholder) => placeholder.deserialize_any(visitor),
        }
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match &self.0.value {
            Value::Placeholder(placeholder) => placeholder.deserialize_i128(visitor),
            Value::Float(value) if value.fract() == 0.0 => visitor.visit_i128(rounded(*value)),
            _ => self.deserialize_i64(visitor),
        }
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match &self.0.value {
            Value::Placeholder(placeholder) => placeholder.deserialize_u128(visitor),
            Value::Float(value) if value.fract() == 0.0 => visitor.visit_i128(rounded(*value)),
            _ => self.deserialize_i64(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match &self.0.value {
            Value::Null => visitor.visit_none(),
            Value::Placeholder(placeholder) => placeholder.deserialize_option(visitor),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match &self.0.value {
            Value::Placeholder(placeholder) => placeholder.deserialize_unit(visitor),
            Value::Null => visitor.visit_unit(),
            _ if self.is_empty_object() => visitor.visit_unit(),
            _ => self.refuse(&visitor),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mistake> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Mistake> {
        match &self.0.value {
            _ if name == RAW_VALUE => visitor.visit_map(MapDeserializer::new(std::iter::once((RAW_VALUE, "null")))),
            Value::Placeholder(placeholder) => placeholder.deserialize_newtype_struct(name, visitor),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        match &self.0.value {
            Value::Placeholder(placeholder) => placeholder.deserialize_struct(name, fields, visitor),
            // A list of the right length is a struct for serde; of any other length nobody meant one.
            Value::List(_) => self.deserialize_any(visitor).map_err(|mistake| match mistake.kind {
                Kind::Length { .. } if mistake.is_here() => {
                    Mistake::new(Kind::Type { got: Got::List, expected: "a map".to_owned() })
                }
                _ => mistake,
            }),
            _ => self.deserialize_map(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        match &self.0.value {
            // serde asks for the tag of an adjacently tagged enum as for an enum of its own.
            Value::Placeholder(_) if is_adjacent_tag(&visitor) => {
                Err(Mistake::unknown_variant("", variants).of_spot(Spot::Tag))
            }
            Value::Text(text) if is_adjacent_tag(&visitor) => {
                visitor.visit_enum(Variant { name: text, content: None }).map_err(|mistake| mistake.of_spot(Spot::Tag))
            }
            Value::Placeholder(placeholder) => placeholder.deserialize_enum(name, variants, visitor),
            Value::Text(text) => visitor.visit_enum(Variant { name: text, content: None }),
            Value::Object(entries) => match entries.as_slice() {
                [(name, content)] => visitor.visit_enum(Variant { name, content: Some(content) }),
                _ => Err(Mistake::invalid_value(Unexpected::Map, &"map with a single key")),
            },
            _ => self.refuse(&"string or map"),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.deserialize_str(visitor).map_err(|mistake| mistake.of_spot(Spot::Tag))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_unit()
    }
}

/// A whole number for which the tree has no room.
#[expect(clippy::cast_possible_truncation, reason = "what it is exactly does not matter for its shape")]
fn rounded(value: f64) -> i128 {
    value as i128
}

fn is_adjacent_tag(expected: &dyn Expected) -> bool {
    expected.to_string().starts_with("variant of enum ")
}

struct Items<'a> {
    items: &'a [Node],
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Mistake> {
        let index = self.next;
        let Some(item) = self.items.get(index) else { return Ok(None) };
        self.next += 1;
        seed.deserialize(Reader(item)).map(Some).map_err(|mistake| mistake.within(index))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len() - self.next)
    }
}

struct Entries<'a> {
    entries: &'a [(String, Node)],
    next: usize,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Mistake;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Mistake> {
        let Some((name, _)) = self.entries.get(self.next) else { return Ok(None) };
        seed.deserialize(Key(name)).map(Some).map_err(|mistake| mistake.of_key(self.next))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Mistake> {
        let index = self.next;
        let Some((_, node)) = self.entries.get(index) else {
            return Err(Mistake::custom("a value was read before its key"));
        };
        self.next += 1;
        seed.deserialize(Reader(node)).map_err(|mistake| mistake.within(index))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len() - self.next)
    }
}

/// The name of an entry, which may have to be a number.
struct Key<'a>(&'a str);

/// Reads a key as the type of a number, if it looks like one.
macro_rules! read_key {
    ($($method:ident => $type:ty, $visit:ident;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
            match self.0.parse::<$type>() {
                Ok(value) => visitor.$visit(value),
                Err(_) => visitor.visit_borrowed_str(self.0),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Mistake;

    read_key! {
        deserialize_bool => bool, visit_bool;
        deserialize_i8 => i64, visit_i64;
        deserialize_i16 => i64, visit_i64;
        deserialize_i32 => i64, visit_i64;
        deserialize_i64 => i64, visit_i64;
        deserialize_i128 => i128, visit_i128;
        deserialize_u8 => u64, visit_u64;
        deserialize_u16 => u64, visit_u64;
        deserialize_u32 => u64, visit_u64;
        deserialize_u64 => u64, visit_u64;
        deserialize_u128 => u128, visit_u128;
        deserialize_f32 => f64, visit_f64;
        deserialize_f64 => f64, visit_f64;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_borrowed_str(self.0)
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_some(self)
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        visitor.visit_enum(Variant { name: self.0, content: None })
    }

    serde::forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// A variant, by its name alone or with its content.
struct Variant<'a> {
    name: &'a str,
    content: Option<&'a Node>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Mistake;
    type Variant = Content<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Content<'de>), Mistake> {
        let name: StrDeserializer<'_, Mistake> = self.name.into_deserializer();
        let variant = seed.deserialize(name).map_err(|mistake| mistake.of_spot(Spot::Variant))?;
        Ok((variant, Content(self.content)))
    }
}

struct Content<'a>(Option<&'a Node>);

impl<'de> Content<'de> {
    /// Runs `read` on what the variant has; its errors are made in the only entry.
    fn read<T>(
        self,
        expected: &'static str,
        read: impl FnOnce(Reader<'de>) -> Result<T, Mistake>,
    ) -> Result<T, Mistake> {
        match self.0 {
            Some(node) => read(Reader(node)).map_err(|mistake| mistake.within(0)),
            None => Err(Mistake::invalid_type(Unexpected::UnitVariant, &expected)),
        }
    }
}

impl<'de> VariantAccess<'de> for Content<'de> {
    type Error = Mistake;

    fn unit_variant(self) -> Result<(), Mistake> {
        match self.0 {
            Some(_) => self.read("unit variant", serde::Deserialize::deserialize),
            None => Ok(()),
        }
    }
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Mistake> {
        self.read("newtype variant", |reader| seed.deserialize(reader))
    }
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Mistake> {
        self.read("tuple variant", |reader| reader.deserialize_tuple(len, visitor))
    }
    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Mistake> {
        self.read("struct variant", |reader| reader.deserialize_struct("", fields, visitor))
    }
}
