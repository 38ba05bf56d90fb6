//! Encodes the frames of the server. They are not masked, so one encoding serves every socket.

use bytes::Bytes;

use crate::error::CloseReason;

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;

/// The longest header of a server's frame, in bytes: 2, then 8 of length.
const MAX_HEADER: usize = 10;

/// An encoded frame and the length of its header.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    bytes: Bytes,
    header: u8,
}

impl Frame {
    /// Wraps bytes that represent a frame in the model checks.
    #[cfg(all(test, feature = "model"))]
    pub(crate) fn raw(bytes: Bytes) -> Self {
        Self { bytes, header: 0 }
    }

    /// Returns the whole frame, as it is written to a socket.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Returns the payload, as it is sent to other nodes.
    pub(crate) fn payload(&self) -> Bytes {
        self.bytes.slice(usize::from(self.header)..)
    }

    /// Returns the payload without sharing it.
    pub(crate) fn payload_bytes(&self) -> &[u8] {
        self.bytes.get(usize::from(self.header)..).unwrap_or_default()
    }
}

thread_local! {
    /// The buffer for a payload whose length is not known yet. It is kept up to a capacity of [`KEEP`].
    static SCRATCH: std::cell::Cell<Vec<u8>> = const { std::cell::Cell::new(Vec::new()) };
}

/// The largest capacity of the scratch buffer that is kept after use, in bytes.
const KEEP: usize = 64 * 1024;

/// Encodes the bytes that `write` appends to the buffer as a text frame, in one allocation of the exact size.
pub(crate) fn text_frame<E>(write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Frame, E> {
    data_frame(TEXT, write)
}

/// Encodes a binary frame in the same way.
pub(crate) fn binary_frame<E>(write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Frame, E> {
    data_frame(BINARY, write)
}

fn data_frame<E>(first: u8, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Frame, E> {
    let mut scratch = SCRATCH.take();
    scratch.clear();
    scratch.resize(MAX_HEADER, 0);
    let written = write(&mut scratch);
    let frame = written.map(|()| {
        let (gap, payload) = scratch.split_at_mut(MAX_HEADER);
        let (header, len) = header(first, payload.len());
        let start = MAX_HEADER - len;
        for (slot, byte) in gap.iter_mut().skip(start).zip(header) {
            *slot = byte;
        }
        let bytes = Bytes::copy_from_slice(scratch.get(start..).unwrap_or_default());
        Frame { bytes, header: u8::try_from(len).unwrap_or(0) }
    });
    if scratch.capacity() <= KEEP {
        SCRATCH.set(scratch);
    }
    frame
}

/// Returns the payload of a complete frame that this module encoded.
pub(crate) fn payload_of(frame: &[u8]) -> &[u8] {
    let header = match frame.get(1) {
        Some(127) => MAX_HEADER,
        Some(126) => 4,
        _ => 2,
    };
    frame.get(header..).unwrap_or_default()
}

/// Encodes a header without a mask (RFC 6455 5.2), and returns it with its length.
fn header(first: u8, payload: usize) -> ([u8; MAX_HEADER], usize) {
    let mut bytes = [first, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let [_, second, a, b, rest @ ..] = &mut bytes;
    if let Ok(len) = u8::try_from(payload)
        && len <= 125
    {
        *second = len;
        (bytes, 2)
    } else if let Ok(len) = u16::try_from(payload) {
        *second = 126;
        [*a, *b] = len.to_be_bytes();
        (bytes, 4)
    } else {
        *second = 127;
        let [h, g, tail @ ..] = (payload as u64).to_be_bytes();
        (*a, *b) = (h, g);
        rest.copy_from_slice(&tail);
        (bytes, MAX_HEADER)
    }
}

fn control(first: u8, payload: &[u8]) -> Bytes {
    let (header, len) = header(first, payload.len());
    let mut bytes = Vec::with_capacity(len + payload.len());
    bytes.extend(header.iter().take(len));
    bytes.extend_from_slice(payload);
    bytes.into()
}

/// Encodes a pong with the payload of a ping, at most 125 bytes.
pub(crate) fn pong_frame(payload: &[u8]) -> Bytes {
    control(PONG, payload)
}

/// Returns a ping without a payload, the heartbeat of the server.
pub(crate) fn ping_frame() -> Bytes {
    Bytes::from_static(&[PING, 0])
}

/// Encodes a close frame. A code that must not be sent, such as 1005 or 1006, gives a frame without a code. A reason
/// that does not fit is cut.
pub(crate) fn close_frame(close: &CloseReason) -> Bytes {
    if !close.code.is_allowed() {
        return control(CLOSE, &[]);
    }
    let CloseReason { code, reason } = CloseReason::new(close.code, close.reason.clone());
    let mut payload = u16::from(code).to_be_bytes().to_vec();
    payload.extend_from_slice(reason.as_bytes());
    control(CLOSE, &payload)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::error::CloseCode;

    fn text(payload: &[u8]) -> Frame {
        let Ok(frame) = text_frame(|buffer| {
            buffer.extend_from_slice(payload);
            Ok::<_, Infallible>(())
        });
        frame
    }

    #[test]
    fn a_length_is_encoded_in_the_shortest_form() {
        for (len, header) in [
            (0, vec![0x81, 0]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (65535, vec![0x81, 126, 255, 255]),
            (65536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let payload = vec![b'x'; len];
            let frame = text(&payload);
            assert_eq!(frame.bytes().strip_suffix(payload.as_slice()), Some(header.as_slice()));
            assert_eq!(frame.payload(), payload);
        }
    }

    #[test]
    fn a_close_frame_has_its_code_and_reason() {
        let close = CloseReason::new(CloseCode::Protocol, "no");
        assert_eq!(close_frame(&close), [0x88, 4, 0x03, 0xEA, b'n', b'o'].as_slice());
        assert_eq!(close_frame(&CloseReason::lost()), [0x88, 0].as_slice());
        for code in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
            assert_eq!(close_frame(&CloseReason::new(code.into(), "no")), [0x88, 0].as_slice(), "{code}");
        }
        let long = CloseReason { code: CloseCode::Normal, reason: "é".repeat(100).into() };
        assert_eq!(close_frame(&long).len(), 2 + 2 + 122);
    }
}
