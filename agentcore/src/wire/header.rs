//! Reads the header of a client's frame (RFC 6455 5.2).

use super::event::Violation;

/// The longest header of a client's frame, in bytes: 2, then 8 of length and 4 of mask.
pub(super) const MAX_HEADER: usize = 14;

/// The kind of a frame (RFC 6455 11.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    /// Returns whether the frame is a control frame (RFC 6455 5.5).
    pub(super) fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }
}

/// A complete frame header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHeader {
    /// The last frame of its message.
    pub(super) fin: bool,
    /// At least one of the bits RSV1 to RSV3 is set.
    pub(super) reserved: bool,
    pub(super) opcode: Opcode,
    pub(super) mask: Option<[u8; 4]>,
    /// The length of the payload in bytes.
    pub(super) length: u64,
}

impl FrameHeader {
    /// Reads a header from the front of `bytes`, and returns it with its own length in bytes; `None` when it is
    /// incomplete.
    ///
    /// # Errors
    /// A violation when the opcode is unknown.
    #[inline]
    pub(super) fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, Violation> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let (length, rest) = match second & 0x7F {
            126 => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from_be_bytes(*length), rest),
                None => return Ok(None),
            },
            length => (u64::from(length), rest),
        };
        let (mask, rest) = match (second & 0x80, rest.split_first_chunk()) {
            (0, _) => (None, rest),
            (_, Some((mask, rest))) => (Some(*mask), rest),
            (_, None) => return Ok(None),
        };
        let opcode = Opcode::from_bits(first & 0x0F).ok_or(Violation::Protocol("an unknown opcode"))?;
        let header = Self { fin: first & 0x80 != 0, reserved: first & 0x70 != 0, opcode, mask, length };
        Ok(Some((header, bytes.len() - rest.len())))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

    use super::*;

    #[test]
    fn a_header_is_read_when_its_last_byte_is_there() {
        for (bytes, length) in [
            (&[0x81, 0x85, 1, 2, 3, 4][..], 5),
            (&[0x81, 0xFE, 0x01, 0x00, 1, 2, 3, 4], 256),
            (&[0x81, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4], 65_536),
        ] {
            for cut in 0..bytes.len() {
                assert_eq!(FrameHeader::read(bytes.get(..cut).unwrap()), Ok(None));
            }
            let more = [bytes, b"payload"].concat();
            let (header, used) = FrameHeader::read(&more).unwrap().unwrap();
            let expected =
                FrameHeader { fin: true, reserved: false, opcode: Opcode::Text, mask: Some([1, 2, 3, 4]), length };
            assert_eq!((header, used), (expected, bytes.len()));
        }
    }

    #[test]
    fn a_header_without_a_mask_ends_after_the_length() {
        let (header, used) = FrameHeader::read(&[0x4A, 0x00]).unwrap().unwrap();
        assert_eq!((header.fin, header.reserved, header.opcode, header.mask), (false, true, Opcode::Pong, None));
        assert_eq!((header.length, used), (0, 2));
    }
}
