//! Decodes the bytes of a client into messages and control frames.

use std::sync::Arc;

use super::event::{Violation, WireEvent};
use super::header::{FrameHeader, MAX_HEADER, Opcode};
use super::limits::DecoderLimits;
use super::payload::{checked, control, reserve, unmask, whole};

/// The longest payload of a control frame, in bytes (RFC 6455 5.5).
const MAX_CONTROL: u64 = 125;

/// Decodes the frames of one client.
///
/// A message that is complete in the input is unmasked in place and returned without a copy. Only unfinished parts are
/// kept: a partial header, or the payload so far, already unmasked and checked.
#[derive(Debug)]
pub(crate) struct Decoder {
    limits: Arc<DecoderLimits>,
    header: [u8; MAX_HEADER],
    header_len: u8,
    /// The frame whose payload is being read.
    frame: Option<CurrentFrame>,
    /// The message whose fragments are being collected.
    message: Option<FragmentedMessage>,
    /// The payload of an unfinished or fragmented message, or of the message just returned.
    data: Vec<u8>,
    /// The payload of an unfinished control frame.
    control: Vec<u8>,
    /// The last event borrows from `data` or `control`, which the next call clears.
    handed_out: bool,
    /// The violation that ended the stream.
    failed: Option<Violation>,
}

#[derive(Debug, Clone, Copy)]
struct CurrentFrame {
    opcode: Opcode,
    fin: bool,
    mask: [u8; 4],
    /// Bytes of the payload that have not arrived.
    remaining: usize,
}

#[derive(Debug, Clone, Copy)]
struct FragmentedMessage {
    text: bool,
    frames: u32,
    /// The length of the prefix of `data` that is known to be UTF-8.
    valid: usize,
}

impl Drop for Decoder {
    fn drop(&mut self) {
        self.free_data();
    }
}

impl Decoder {
    /// Creates a decoder at the start of a stream.
    #[must_use]
    pub(crate) fn new(limits: Arc<DecoderLimits>) -> Self {
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

    /// Returns whether a message or a control frame has begun and is not complete.
    pub(crate) fn is_mid_message(&self) -> bool {
        self.header_len > 0 || self.frame.is_some() || self.message.is_some()
    }

    /// Returns the bytes of the buffers.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.data.capacity() + self.control.capacity()
    }

    /// Takes the next event off the front of `input`; `None` when all input is used.
    ///
    /// # Errors
    /// A [`Violation`]. The stream cannot be read any further, and each later call returns the same violation.
    pub(crate) fn next<'a, 'i: 'a>(&'a mut self, input: &mut &'i mut [u8]) -> Result<Option<WireEvent<'a>>, Violation> {
        if let Some(violation) = self.failed {
            return Err(violation);
        }
        if self.handed_out {
            self.handed_out = false;
            // Buffers are freed: most messages are complete in the input, and an idle connection keeps none.
            if self.message.is_none() {
                self.free_data();
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
            if current.opcode.is_control() {
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
            let message = self.message.get_or_insert(FragmentedMessage { text: false, frames: 0, valid: 0 });
            if complete && current.fin && self.data.is_empty() {
                let text = message.text;
                self.message = None;
                self.frame = None;
                return whole(text, payload).map(Some).inspect_err(|violation| self.failed = Some(*violation));
            }
            let most = if current.fin { self.data.len() + current.remaining } else { self.limits.max_message };
            if let Err(violation) = reserve(&mut self.data, payload.len(), most, &self.limits) {
                return self.fail(violation);
            }
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

    /// Ends the stream and frees the buffers.
    fn fail<T>(&mut self, violation: Violation) -> Result<T, Violation> {
        self.failed = Some(violation);
        self.free_data();
        self.control = Vec::new();
        Err(violation)
    }

    fn free_data(&mut self) {
        self.limits.free(std::mem::take(&mut self.data).capacity());
    }

    /// Records that `taken` bytes of the current frame were used, and rotates its mask accordingly.
    fn advance(&mut self, mut current: CurrentFrame, taken: usize) {
        current.remaining -= taken;
        current.mask.rotate_left(taken % 4);
        self.frame = Some(current);
    }

    /// Reads a header, and checks that the frame is allowed at this point.
    fn read_header(&mut self, input: &mut &mut [u8]) -> Result<Option<CurrentFrame>, Violation> {
        let (read, used) = if self.header_len == 0 {
            match FrameHeader::read(input)? {
                Some((header, used)) => (Some(header), used),
                None => (None, self.keep(input)),
            }
        } else {
            let before = usize::from(self.header_len);
            let added = self.keep(input);
            match FrameHeader::read(self.header.get(..usize::from(self.header_len)).unwrap_or_default())? {
                Some((header, used)) => {
                    self.header_len = 0;
                    (Some(header), used - before)
                }
                None => (None, added),
            }
        };
        skip(input, used);
        let Some(header) = read else { return Ok(None) };
        let current = self.check(header)?;
        self.frame = Some(current);
        Ok(Some(current))
    }

    /// Copies bytes that may belong to a header, and returns their number.
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

    fn check(&mut self, header: FrameHeader) -> Result<CurrentFrame, Violation> {
        let FrameHeader { fin, reserved, opcode, mask, length } = header;
        if reserved {
            return Err(Violation::Protocol("a reserved bit is set"));
        }
        let Some(mask) = mask else {
            return Err(Violation::Protocol("a client's frame must be masked"));
        };
        match (opcode, self.message.as_mut()) {
            (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => {
                if !fin {
                    return Err(Violation::Protocol("a control frame must not be fragmented"));
                }
                if length > MAX_CONTROL {
                    return Err(Violation::Protocol("a control frame has at most 125 bytes"));
                }
            }
            (Opcode::Continuation, Some(message)) => {
                message.frames = message.frames.saturating_add(1);
                if message.frames > self.limits.max_frames {
                    return Err(Violation::TooManyFrames { max: self.limits.max_frames });
                }
            }
            (Opcode::Continuation, None) => {
                return Err(Violation::Protocol("a continuation frame without a message to continue"));
            }
            (Opcode::Text | Opcode::Binary, Some(_)) => {
                return Err(Violation::Protocol("a new message before the end of the previous one"));
            }
            (Opcode::Text | Opcode::Binary, None) => {
                self.message = Some(FragmentedMessage { text: opcode == Opcode::Text, frames: 1, valid: 0 });
            }
        }
        if length > i64::MAX as u64 {
            return Err(Violation::Protocol("a length has at most 63 bits"));
        }
        // The total is checked before any byte of the payload is kept.
        let remaining = usize::try_from(length).ok().filter(|length| {
            opcode.is_control() || length.checked_add(self.data.len()).is_some_and(|sum| sum <= self.limits.max_message)
        });
        let Some(remaining) = remaining else {
            return Err(Violation::TooBig { max: self.limits.max_message });
        };
        Ok(CurrentFrame { opcode, fin, mask, remaining })
    }
}

fn skip(input: &mut &mut [u8], used: usize) {
    let taken = std::mem::take(input);
    *input = taken.get_mut(used..).unwrap_or_default();
}
