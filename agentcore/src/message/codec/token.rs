//! Takes MessagePack apart: one marker, with the bytes that belong to it.

use rmp::Marker;

/// A value without children, or the beginning of one with children.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::message) enum Token<'a> {
    Nil,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    /// A string; its bytes may not be UTF-8.
    Text(&'a [u8]),
    Binary(&'a [u8]),
    Extension(&'a [u8]),
    /// An array, and the number of its elements.
    Array(u64),
    /// A map, and the number of its keys.
    Map(u64),
}

impl<'a> Token<'a> {
    /// Takes the next token off the input; `None` when the input is cut off or starts no value.
    #[inline]
    pub(in crate::message) fn take(input: &mut &'a [u8]) -> Option<Self> {
        let (marker, rest) = input.split_first()?;
        *input = rest;
        Some(match Marker::from_u8(*marker) {
            Marker::Null => Self::Nil,
            Marker::True => Self::Bool(true),
            Marker::False => Self::Bool(false),
            Marker::FixPos(number) => Self::Unsigned(number.into()),
            Marker::FixNeg(number) => Self::Signed(number.into()),
            Marker::U8 => Self::Unsigned(number::<1>(input)?),
            Marker::U16 => Self::Unsigned(number::<2>(input)?),
            Marker::U32 => Self::Unsigned(number::<4>(input)?),
            Marker::U64 => Self::Unsigned(number::<8>(input)?),
            Marker::I8 => Self::Signed(i8::from_be_bytes(array(input)?).into()),
            Marker::I16 => Self::Signed(i16::from_be_bytes(array(input)?).into()),
            Marker::I32 => Self::Signed(i32::from_be_bytes(array(input)?).into()),
            Marker::I64 => Self::Signed(i64::from_be_bytes(array(input)?)),
            Marker::F32 => Self::Float(f32::from_be_bytes(array(input)?).into()),
            Marker::F64 => Self::Float(f64::from_be_bytes(array(input)?)),
            Marker::FixStr(length) => Self::Text(bytes(input, length.into())?),
            Marker::Str8 => Self::Text(counted::<1>(input, 0)?),
            Marker::Str16 => Self::Text(counted::<2>(input, 0)?),
            Marker::Str32 => Self::Text(counted::<4>(input, 0)?),
            Marker::Bin8 => Self::Binary(counted::<1>(input, 0)?),
            Marker::Bin16 => Self::Binary(counted::<2>(input, 0)?),
            Marker::Bin32 => Self::Binary(counted::<4>(input, 0)?),
            // Of an extension, one more byte holds the type.
            Marker::FixExt1 => Self::Extension(bytes(input, 2)?),
            Marker::FixExt2 => Self::Extension(bytes(input, 3)?),
            Marker::FixExt4 => Self::Extension(bytes(input, 5)?),
            Marker::FixExt8 => Self::Extension(bytes(input, 9)?),
            Marker::FixExt16 => Self::Extension(bytes(input, 17)?),
            Marker::Ext8 => Self::Extension(counted::<1>(input, 1)?),
            Marker::Ext16 => Self::Extension(counted::<2>(input, 1)?),
            Marker::Ext32 => Self::Extension(counted::<4>(input, 1)?),
            Marker::FixArray(length) => Self::Array(length.into()),
            Marker::Array16 => Self::Array(number::<2>(input)?),
            Marker::Array32 => Self::Array(number::<4>(input)?),
            Marker::FixMap(length) => Self::Map(length.into()),
            Marker::Map16 => Self::Map(number::<2>(input)?),
            Marker::Map32 => Self::Map(number::<4>(input)?),
            Marker::Reserved => return None,
        })
    }
}

/// Returns the integer that a float without a fraction stands for: clients whose numbers are all floats write it so.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the bounds are checked")]
pub(in crate::message) fn whole(number: f64) -> Option<Token<'static>> {
    // The bounds are 2^64 and -2^63.
    match number {
        _ if number.fract() != 0.0 => None,
        0.0..18_446_744_073_709_551_616.0 => Some(Token::Unsigned(number as u64)),
        -9_223_372_036_854_775_808.0..0.0 => Some(Token::Signed(number as i64)),
        _ => None,
    }
}

fn array<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = input.split_first_chunk()?;
    *input = rest;
    Some(*taken)
}

/// Takes a number of `N` bytes.
fn number<const N: usize>(input: &mut &[u8]) -> Option<u64> {
    Some(array::<N>(input)?.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
}

fn bytes<'a>(input: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (taken, rest) = input.split_at_checked(usize::try_from(length).ok()?)?;
    *input = rest;
    Some(taken)
}

/// Takes a length of `N` bytes, and as many bytes with `more`.
fn counted<'a, const N: usize>(input: &mut &'a [u8], more: u64) -> Option<&'a [u8]> {
    let length = number::<N>(input)?;
    bytes(input, length + more)
}
