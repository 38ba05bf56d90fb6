//! Converts JSON text to MessagePack.
//!
//! It reads the text itself: what serde_json passes on for a number depends on the features that other crates of the
//! program turn on (`arbitrary_precision`).

use rmp::encode::{write_array_len, write_f64, write_map_len, write_sint, write_str, write_uint};
use serde::de::IgnoredAny;

use super::read::MAX_LEVELS;
use super::scan::MAX_DEPTH;

/// An extension that stands for a text with half of a surrogate pair, which is no Unicode text.
pub(in crate::message) const NO_TEXT: &[u8] = &[0];
/// An extension that stands for a value that is nested more than 127 levels deep.
pub(in crate::message) const TOO_DEEP: &[u8] = &[1];

/// The longest length of an array or a map, with its marker, in bytes.
const MAX_LENGTH: usize = 5;

/// Converts a complete envelope.
pub(super) fn pack_envelope(json: &[u8], buffer: &mut Vec<u8>) -> Result<(), PackError> {
    // The envelope is a level too.
    if pack(json, MAX_DEPTH, buffer)? { Ok(()) } else { Err(PackError::Inexact) }
}

/// Converts data, with an extension or an infinite float for each value that only JSON text can write, such as 1e400.
/// Returns the data and whether there is no such value.
pub(super) fn pack_data(json: &[u8]) -> Result<(Vec<u8>, bool), PackError> {
    let mut packed = Vec::with_capacity(json.len());
    let is_exact = pack(json, MAX_LEVELS, &mut packed)?;
    Ok((packed, is_exact))
}

fn pack(json: &[u8], levels: usize, buffer: &mut Vec<u8>) -> Result<bool, PackError> {
    std::str::from_utf8(json)?;
    serde_json::from_slice::<IgnoredAny>(json)?;
    let mut packer = Packer { rest: json, buffer, is_exact: true };
    packer.value(levels)?;
    Ok(packer.is_exact)
}

/// The reason why a text cannot be converted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackError {
    #[error("{0}")]
    Utf8(#[from] std::str::Utf8Error),
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    #[error("{0}")]
    Write(#[from] rmp::encode::ValueWriteError),
    #[error("a list is too long")]
    Length(#[from] std::num::TryFromIntError),
    #[error("it ends in the middle of a value")]
    CutOff,
    #[error("MessagePack cannot hold one of its values")]
    Inexact,
}

/// A text that is known to be JSON. Its commas and colons say nothing that its other tokens do not say.
struct Packer<'a, 'b> {
    rest: &'a [u8],
    buffer: &'b mut Vec<u8>,
    is_exact: bool,
}

impl<'a> Packer<'a, '_> {
    /// Skips separators and returns the first byte of the next token.
    fn peek(&mut self) -> Result<u8, PackError> {
        while let Some((b' ' | b'\t' | b'\r' | b'\n' | b',' | b':', rest)) = self.rest.split_first() {
            self.rest = rest;
        }
        self.rest.first().copied().ok_or(PackError::CutOff)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], PackError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(PackError::CutOff)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Converts the next value, which may have `levels` levels of nesting.
    fn value(&mut self, levels: usize) -> Result<(), PackError> {
        match self.peek()? {
            b'{' | b'[' if levels == 0 => {
                self.skip()?;
                self.inexact(TOO_DEEP)
            }
            b'{' => self.children(levels, b'}', |length, count| Ok(write_map_len(length, count / 2).map(drop)?)),
            b'[' => self.children(levels, b']', |length, count| Ok(write_array_len(length, count).map(drop)?)),
            b'"' => self.text(),
            b'n' => self.word(4, 0xc0),
            b't' => self.word(4, 0xc3),
            b'f' => self.word(5, 0xc2),
            _ => self.number(),
        }
    }

    fn children(
        &mut self,
        levels: usize,
        end: u8,
        write_length: fn(&mut &mut [u8], u32) -> Result<(), PackError>,
    ) -> Result<(), PackError> {
        self.take(1)?;
        let start = self.buffer.len();
        // The place of the length, which takes one byte for up to 15 children.
        self.buffer.push(0);
        let mut count: usize = 0;
        while self.peek()? != end {
            self.value(levels - 1)?;
            count += 1;
        }
        self.take(1)?;
        let mut length = [0; MAX_LENGTH];
        let mut free = length.as_mut_slice();
        write_length(&mut free, u32::try_from(count)?)?;
        let used = MAX_LENGTH - free.len();
        self.buffer.splice(start..=start, length.into_iter().take(used));
        Ok(())
    }

    fn text(&mut self) -> Result<(), PackError> {
        let token = self.text_token()?;
        match token.get(1..token.len() - 1) {
            Some(plain) if !token.contains(&b'\\') => Ok(write_str(self.buffer, std::str::from_utf8(plain)?)?),
            _ => match serde_json::from_slice::<String>(token) {
                Ok(text) => Ok(write_str(self.buffer, &text)?),
                Err(_half_of_a_surrogate_pair) => self.inexact(NO_TEXT),
            },
        }
    }

    /// Takes a string with its quotes.
    fn text_token(&mut self) -> Result<&'a [u8], PackError> {
        let mut end = 1;
        loop {
            match self.rest.get(end).ok_or(PackError::CutOff)? {
                b'"' => return self.take(end + 1),
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
    }

    fn word(&mut self, length: usize, marker: u8) -> Result<(), PackError> {
        self.take(length)?;
        self.buffer.push(marker);
        Ok(())
    }

    fn number(&mut self) -> Result<(), PackError> {
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let length = self.rest.iter().position(|byte| !is_part(byte)).unwrap_or(self.rest.len());
        let text = std::str::from_utf8(self.take(length)?)?;
        match (text.parse::<u64>(), text.parse::<i64>()) {
            (Ok(number), _) => write_uint(self.buffer, number).map(drop)?,
            // Minus zero is a float.
            (_, Ok(number @ ..=-1)) => write_sint(self.buffer, number).map(drop)?,
            _ => {
                let number: f64 = text.parse().map_err(|_| PackError::CutOff)?;
                self.is_exact &= number.is_finite();
                write_f64(self.buffer, number)?;
            }
        }
        Ok(())
    }

    fn inexact(&mut self, extension: &[u8]) -> Result<(), PackError> {
        self.is_exact = false;
        self.buffer.extend_from_slice(&[0xc7, 0]);
        self.buffer.extend_from_slice(extension);
        Ok(())
    }

    /// Skips an object or a list, however deep it is.
    fn skip(&mut self) -> Result<(), PackError> {
        let mut open: usize = 0;
        loop {
            match self.peek()? {
                b'"' => drop(self.text_token()?),
                b'{' | b'[' => {
                    open += 1;
                    self.take(1)?;
                }
                b'}' | b']' => {
                    open -= 1;
                    self.take(1)?;
                    if open == 0 {
                        return Ok(());
                    }
                }
                _ => drop(self.take(1)?),
            }
        }
    }
}
