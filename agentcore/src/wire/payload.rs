//! What is done with the bytes of a payload: room, unmasking, UTF-8, close codes.
//!
//! Two functions are inlined into the decoder's loop: that is a fifth of the time of a short message.

use tungstenite::protocol::frame::coding::{CloseCode, Control, OpCode};

use super::{Event, Violation};

/// The first buffer of a message in pieces, unless the message is known to be smaller.
const FIRST_BUFFER: usize = 1024;
/// "Bad gateway", registered after RFC 6455; tungstenite does not know it.
const BAD_GATEWAY: CloseCode = CloseCode::Bad(1014);

/// Makes room for `more` bytes. It doubles, so that a message in many pieces is not copied for each, but never beyond
/// the `most` that the message can still have.
pub(super) fn reserve(data: &mut Vec<u8>, more: usize, most: usize) {
    let needed = data.len() + more;
    if needed > data.capacity() {
        let doubled = data.capacity().saturating_mul(2).max(FIRST_BUFFER).min(most);
        data.reserve_exact(needed.max(doubled) - data.len());
    }
}

/// XORs with the mask (RFC 6455 5.3), eight bytes at a time; the compiler makes vector code of it.
#[inline]
pub(super) fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut chunks = payload.chunks_exact_mut(8);
    for chunk in &mut chunks {
        if let Ok(bytes) = <[u8; 8]>::try_from(&*chunk) {
            chunk.copy_from_slice(&(u64::from_ne_bytes(bytes) ^ wide).to_ne_bytes());
        }
    }
    for (byte, mask) in chunks.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[inline]
pub(super) fn whole(text: bool, payload: &[u8]) -> Result<Event<'_>, Violation> {
    if text {
        simdutf8::basic::from_utf8(payload).map(Event::Text).map_err(|_| Violation::Utf8)
    } else {
        Ok(Event::Binary(payload))
    }
}

/// Checks `data` from `valid` on; a character cut at the end is left for the next call.
pub(super) fn checked(data: &[u8], valid: usize) -> Result<usize, Violation> {
    let new = data.get(valid..).unwrap_or_default();
    match simdutf8::compat::from_utf8(new) {
        Ok(_) => Ok(data.len()),
        Err(error) if error.error_len().is_none() => Ok(valid + error.valid_up_to()),
        Err(_) => Err(Violation::Utf8),
    }
}

/// Whether a close frame may have this code, in either direction.
pub(super) fn may_be_sent(code: CloseCode) -> bool {
    code.is_allowed() || code == BAD_GATEWAY
}

pub(super) fn control(opcode: OpCode, payload: &[u8]) -> Result<Event<'_>, Violation> {
    match opcode {
        OpCode::Control(Control::Ping) => Ok(Event::Ping(payload)),
        OpCode::Control(Control::Pong) => Ok(Event::Pong),
        _ => match payload {
            [] => Ok(Event::Close(None)),
            [high, low, reason @ ..] => {
                let code = CloseCode::from(u16::from_be_bytes([*high, *low]));
                if !may_be_sent(code) {
                    return Err(Violation::Protocol("a close code that must not be sent"));
                }
                let reason = simdutf8::basic::from_utf8(reason).map_err(|_| Violation::Utf8)?;
                Ok(Event::Close(Some((code, reason))))
            }
            _ => Err(Violation::Protocol("a close frame with half a code")),
        },
    }
}
