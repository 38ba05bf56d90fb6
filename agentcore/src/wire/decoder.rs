//! Bytes of a client become messages, pings, pongs and closes.

use std::io::Cursor;

use tungstenite::error::Error as ProtocolError;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};

use super::payload::{checked, control, reserve, unmask, whole};

/// The longest header of a client's frame: 2 bytes, 8 of length, 4 of mask.
const MAX_HEADER: usize = 14;
/// The longest payload of a control frame (RFC 6455 5.5).
const MAX_CONTROL: u64 = 125;

/// What a client may send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The largest message, all its fragments together, in bytes.
    pub(crate) max_message: usize,
    /// How many frames a message may have: empty fragments cost no bytes, but time.
    pub(crate) max_frames: u32,
}

/// What the decoder found. Data borrow from the input where the message came in one piece.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    /// A whole text message.
    Text(&'a str),
    /// A whole binary message.
    Binary(&'a [u8]),
    /// A ping; its payload goes back in a pong.
    Ping(&'a [u8]),
    /// A pong.
    Pong,
    /// A close frame with its code, if it had one.
    Close(Option<(CloseCode, &'a str)>),
}

/// A breach of the protocol; the connection cannot go on after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    /// The frame breaks RFC 6455; the text says how.
    #[error("{0}")]
    Protocol(&'static str),
    /// A text that is no UTF-8 (RFC 6455 8.1).
    #[error("text is not UTF-8")]
    Utf8,
    /// A message above the limit, by its header alone.
    #[error("message has more than {max} bytes")]
    TooBig {
        /// The limit in bytes.
        max: usize,
    },
    /// A message in more frames than the limit.
    #[error("message has more than {max} frames")]
    TooManyFrames {
        /// The limit.
        max: u32,
    },
}

impl Violation {
    /// The code of the close frame that answers it (RFC 6455 7.4.1).
    #[must_use]
    pub(crate) fn close_code(self) -> CloseCode {
        match self {
            Self::Protocol(_) => CloseCode::Protocol,
            Self::Utf8 => CloseCode::Invalid,
            Self::TooBig { .. } => CloseCode::Size,
            Self::TooManyFrames { .. } => CloseCode::Policy,
        }
    }
}

/// Decodes the frames of one client.
///
/// A message that lies whole in the input is unmasked there and handed on without a copy. Only what is unfinished is
/// kept: a partial header, or the payload so far, already unmasked and checked.
#[derive(Debug)]
pub(crate) struct Decoder {
    limits: Limits,
    header: [u8; MAX_HEADER],
    header_len: u8,
    /// The frame whose payload is being read.
    frame: Option<Current>,
    /// The message whose fragments are being collected.
    message: Option<Fragmented>,
    /// The payload of an unfinished or fragmented message, or the message just handed out.
    data: Vec<u8>,
    /// The payload of an unfinished control frame.
    control: Vec<u8>,
    /// `data` or `control` were handed out and are to be cleared.
    handed_out: bool,
    /// What ended the stream.
    failed: Option<Violation>,
}

#[derive(Debug, Clone, Copy)]
struct Current {
    opcode: OpCode,
    fin: bool,
    mask: [u8; 4],
    /// Bytes still to come.
    remaining: usize,
}

#[derive(Debug, Clone, Copy)]
struct Fragmented {
    text: bool,
    frames: u32,
    /// Up to here `data` is known to be UTF-8.
    valid: usize,
}

impl Decoder {
    /// A decoder at the start of a stream.
    #[must_use]
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            header: [0; MAX_HEADER],
            header_len: 0,
            frame: None,
            message: None,
            data: Vec::new(),
            control: Vec::new(),
            handed_out: false,
            failed: None,
        }
    }

    /// Whether a message, or a frame beside it, has begun and is not complete.
    pub(crate) fn is_mid_message(&self) -> bool {
        self.header_len > 0 || self.frame.is_some() || self.message.is_some()
    }

    /// How many bytes it keeps beside itself.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.data.capacity() + self.control.capacity()
    }

    /// Takes the next event off the front of `input`; `None` when all of it is used up.
    ///
    /// # Errors
    /// A [`Violation`]; the stream cannot be read any further, and every later call gives the same one.
    pub(crate) fn next<'a, 'i: 'a>(&'a mut self, input: &mut &'i mut [u8]) -> Result<Option<Event<'a>>, Violation> {
        if let Some(violation) = self.failed {
            return Err(violation);
        }
        if self.handed_out {
            self.handed_out = false;
            // Buffers are given back: most messages lie whole in the input, and an idle connection keeps none.
            if self.message.is_none() {
                self.data = Vec::new();
            }
            self.control = Vec::new();
        }
        loop {
            let current = match self.frame {
                Some(current) => current,
                None => match self.read_header(input) {
                    Ok(Some(current)) => current,
                    Ok(None) => return Ok(None),
                    Err(violation) => return self.fail(violation),
                },
            };
            let taken = std::mem::take(input);
            let (payload, rest) = taken.split_at_mut(current.remaining.min(taken.len()));
            *input = rest;
            unmask(payload, current.mask);
            let complete = payload.len() == current.remaining;
            if matches!(current.opcode, OpCode::Control(_)) {
                if !complete {
                    self.control.extend_from_slice(payload);
                    self.advance(current, payload.len());
                    return Ok(None);
                }
                self.frame = None;
                let found = if self.control.is_empty() {
                    control(current.opcode, payload)
                } else {
                    self.control.extend_from_slice(payload);
                    self.handed_out = true;
                    control(current.opcode, &self.control)
                };
                return found.map(Some).inspect_err(|violation| self.failed = Some(*violation));
            }
            let message = self.message.get_or_insert(Fragmented { text: false, frames: 0, valid: 0 });
            if complete && current.fin && self.data.is_empty() {
                let text = message.text;
                self.message = None;
                self.frame = None;
                return whole(text, payload).map(Some).inspect_err(|violation| self.failed = Some(*violation));
            }
            let most = if current.fin { self.data.len() + current.remaining } else { self.limits.max_message };
            reserve(&mut self.data, payload.len(), most);
            self.data.extend_from_slice(payload);
            if message.text {
                match checked(&self.data, message.valid) {
                    Ok(valid) => message.valid = valid,
                    Err(violation) => return self.fail(violation),
                }
            }
            if !complete {
                self.advance(current, payload.len());
                return Ok(None);
            }
            self.frame = None;
            if current.fin {
                let text = message.text;
                if text && message.valid < self.data.len() {
                    return self.fail(Violation::Utf8);
                }
                self.message = None;
                self.handed_out = true;
                return whole(text, &self.data).map(Some);
            }
        }
    }

    /// Ends the stream: what was collected is of no use any more.
    fn fail<T>(&mut self, violation: Violation) -> Result<T, Violation> {
        self.failed = Some(violation);
        self.data = Vec::new();
        self.control = Vec::new();
        Err(violation)
    }

    /// Notes that `taken` bytes of the current frame were used, and turns its mask accordingly.
    fn advance(&mut self, mut current: Current, taken: usize) {
        current.remaining -= taken;
        current.mask.rotate_left(taken % 4);
        self.frame = Some(current);
    }

    /// Reads a header and checks it against what may come now.
    fn read_header(&mut self, input: &mut &mut [u8]) -> Result<Option<Current>, Violation> {
        let parsed = if self.header_len == 0 {
            let mut cursor = Cursor::new(&**input);
            let parsed = parse(&mut cursor)?;
            let used = if parsed.is_some() { position(&cursor) } else { self.keep(input) };
            skip(input, used);
            parsed
        } else {
            let before = usize::from(self.header_len);
            let added = self.keep(input);
            let whole = self.header.get(..usize::from(self.header_len)).unwrap_or_default();
            let mut cursor = Cursor::new(whole);
            let parsed = parse(&mut cursor)?;
            let used = if parsed.is_some() { position(&cursor) - before } else { added };
            if parsed.is_some() {
                self.header_len = 0;
            }
            skip(input, used);
            parsed
        };
        let Some((header, length)) = parsed else { return Ok(None) };
        let current = self.check(&header, length)?;
        self.frame = Some(current);
        Ok(Some(current))
    }

    /// Copies what may belong to a header; returns how much.
    fn keep(&mut self, input: &[u8]) -> usize {
        let mut added = 0;
        let free = self.header.iter_mut().skip(usize::from(self.header_len));
        for (slot, byte) in free.zip(input) {
            *slot = *byte;
            added += 1;
        }
        self.header_len += u8::try_from(added).unwrap_or(0);
        added
    }

    fn check(&mut self, header: &FrameHeader, length: u64) -> Result<Current, Violation> {
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(Violation::Protocol("a reserved bit is set"));
        }
        let Some(mask) = header.mask else {
            return Err(Violation::Protocol("a client's frame must be masked"));
        };
        match (header.opcode, self.message.as_mut()) {
            (OpCode::Control(_), _) => {
                if !header.is_final {
                    return Err(Violation::Protocol("a control frame must not be fragmented"));
                }
                if length > MAX_CONTROL {
                    return Err(Violation::Protocol("a control frame has at most 125 bytes"));
                }
            }
            (OpCode::Data(Data::Continue), Some(message)) => {
                message.frames = message.frames.saturating_add(1);
                if message.frames > self.limits.max_frames {
                    return Err(Violation::TooManyFrames { max: self.limits.max_frames });
                }
            }
            (OpCode::Data(Data::Continue), None) => {
                return Err(Violation::Protocol("a continuation frame without a message to continue"));
            }
            (OpCode::Data(_), Some(_)) => {
                return Err(Violation::Protocol("a new message before the end of the one before"));
            }
            (OpCode::Data(kind), None) => {
                self.message = Some(Fragmented { text: kind == Data::Text, frames: 1, valid: 0 });
            }
        }
        if length > i64::MAX as u64 {
            return Err(Violation::Protocol("a length has at most 63 bits"));
        }
        // The sum is checked before a byte of the payload is kept.
        let is_data = matches!(header.opcode, OpCode::Data(_));
        let remaining = usize::try_from(length).ok().filter(|length| {
            !is_data || length.checked_add(self.data.len()).is_some_and(|sum| sum <= self.limits.max_message)
        });
        let Some(remaining) = remaining else {
            return Err(Violation::TooBig { max: self.limits.max_message });
        };
        Ok(Current { opcode: header.opcode, fin: header.is_final, mask, remaining })
    }
}

fn parse(cursor: &mut Cursor<&[u8]>) -> Result<Option<(FrameHeader, u64)>, Violation> {
    FrameHeader::parse(cursor).map_err(|error| match error {
        ProtocolError::Protocol(tungstenite::error::ProtocolError::InvalidOpcode(_)) => {
            Violation::Protocol("an unknown opcode")
        }
        _ => Violation::Protocol("a malformed frame header"),
    })
}

fn position(cursor: &Cursor<&[u8]>) -> usize {
    usize::try_from(cursor.position()).unwrap_or(0)
}

fn skip(input: &mut &mut [u8], used: usize) {
    let taken = std::mem::take(input);
    *input = taken.get_mut(used..).unwrap_or_default();
}
