//! The value that stands where the client's was wrong or missing.

use serde::de::value::{MapDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, SeqAccess, VariantAccess, Visitor};

use super::mistake::{Got, Kind, Mistake};
use super::wording::Want;

/// Texts that types with a form of their own take: names, ids, times, addresses.
const TEXTS: [&str; 7] = [
    "x",
    "00000000-0000-0000-0000-000000000000",
    "2000-01-01T00:00:00.000Z",
    "1",
    "127.0.0.1",
    "http://localhost/",
    "x@example.org",
];
/// What is tried where nothing says which type is wanted.
const WANTS: [Want; 7] = [Want::Null, Want::Text, Want::Whole, Want::Bool, Want::Object, Want::List, Want::Number];
/// A placeholder inside placeholders goes no deeper.
const MAX_DEPTH: u8 = 16;

/// Answers whatever type is asked for. When the answer is refused, [`another`](Self::another) gives the next one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Placeholder {
    attempt: u8,
    /// What must be there, where the type is not asked for.
    want: Option<Want>,
    depth: u8,
}

impl Placeholder {
    /// One for a value that must be `want`.
    pub(super) fn of(want: Option<Want>) -> Self {
        Self { want, ..Self::default() }
    }

    /// The next answer after one that was refused, because `want` must be there; `None` when all were tried.
    pub(super) fn another(self, want: Option<Want>) -> Option<Self> {
        if want.is_some() && want != self.want {
            return Some(Self { want, ..self });
        }
        let attempt = self.attempt + 1;
        (usize::from(attempt) < TEXTS.len()).then_some(Self { attempt, ..self })
    }

    /// How the answer is shown where no type is asked for.
    pub(super) fn shown(self) -> Got {
        match self.wanted() {
            Want::Null => Got::Null,
            Want::Bool => Got::Bool(false),
            Want::Whole => Got::Whole(1),
            Want::Number => Got::Number(1.0),
            Want::Text => Got::Text(self.text().to_owned()),
            Want::List => Got::List,
            Want::Object => Got::Object,
        }
    }

    fn wanted(self) -> Want {
        self.want.or_else(|| WANTS.get(usize::from(self.attempt)).copied()).unwrap_or(Want::Null)
    }

    fn text(self) -> &'static str {
        TEXTS.get(usize::from(self.attempt)).copied().unwrap_or_default()
    }

    fn deeper(self) -> Result<Self, Mistake> {
        let depth = self.depth + 1;
        if depth > MAX_DEPTH { Err(Mistake::new(Kind::Endless)) } else { Ok(Self { depth, ..self }) }
    }
}

macro_rules! answer {
    ($($method:ident => $visit:ident($value:expr);)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
            visitor.$visit($value)
        }
    )*};
}

impl<'de> Deserializer<'de> for Placeholder {
    type Error = Mistake;

    // One, not zero: a number may have to be other than zero.
    answer! {
        deserialize_bool => visit_bool(false);
        deserialize_i8 => visit_i64(1);
        deserialize_i16 => visit_i64(1);
        deserialize_i32 => visit_i64(1);
        deserialize_i64 => visit_i64(1);
        deserialize_i128 => visit_i128(1);
        deserialize_u8 => visit_u64(1);
        deserialize_u16 => visit_u64(1);
        deserialize_u32 => visit_u64(1);
        deserialize_u64 => visit_u64(1);
        deserialize_u128 => visit_u128(1);
        deserialize_f32 => visit_f64(1.0);
        deserialize_f64 => visit_f64(1.0);
        deserialize_char => visit_char('x');
        deserialize_bytes => visit_bytes(&[]);
        deserialize_byte_buf => visit_bytes(&[]);
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.wanted() {
            Want::Null => visitor.visit_unit(),
            Want::Bool => visitor.visit_bool(false),
            Want::Whole => visitor.visit_u64(1),
            Want::Number => visitor.visit_f64(1.0),
            Want::Text => visitor.visit_borrowed_str(self.text()),
            Want::List => self.deserialize_seq(visitor),
            Want::Object => self.deserialize_map(visitor),
        }
    }
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_borrowed_str(self.text())
    }
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_borrowed_str(self.text())
    }
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_borrowed_str(self.text())
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_none()
    }
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_unit()
    }
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_unit()
    }
    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_unit()
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self.deeper()?)
    }
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_seq(Several { each: self, left: 0 })
    }
    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_seq(Several { each: self.deeper()?, left: len })
    }
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        self.deserialize_tuple(len, visitor)
    }
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_map(MapDeserializer::new(std::iter::empty::<(&str, &str)>()))
    }
    /// The fields are not known to be required: they come one by one, as they are missed.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        self.deserialize_map(visitor)
    }
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        // Another one at each depth: the first may contain itself.
        let turn = usize::from(self.attempt) + usize::from(self.depth);
        let name = turn.checked_rem(variants.len()).and_then(|index| variants.get(index)).copied().unwrap_or_default();
        visitor.visit_enum(Variant { name, content: self.deeper()? })
    }
}

impl<'de> IntoDeserializer<'de, Mistake> for Placeholder {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

/// So many placeholders.
struct Several {
    each: Placeholder,
    left: usize,
}

impl<'de> SeqAccess<'de> for Several {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Mistake> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(self.each).map(Some)
    }
}

struct Variant {
    name: &'static str,
    content: Placeholder,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = Mistake;
    type Variant = Placeholder;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Placeholder), Mistake> {
        let name: StrDeserializer<'_, Mistake> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self.content))
    }
}

impl<'de> VariantAccess<'de> for Placeholder {
    type Error = Mistake;

    fn unit_variant(self) -> Result<(), Mistake> {
        Ok(())
    }
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Mistake> {
        seed.deserialize(self)
    }
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Mistake> {
        self.deserialize_tuple(len, visitor)
    }
    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Mistake> {
        let content = self.deeper()?;
        visitor.visit_map(MapDeserializer::new(fields.iter().map(|name| (*name, content))))
    }
}
