//! The server side of the WebSocket protocol (RFC 6455) without I/O: it decodes bytes into events, and encodes frames.
//!
//! It owns the handshake, framing, masking, fragments, UTF-8 and the rules of control frames. It does not own sockets,
//! the close handshake, or the meaning of messages.

mod decoder;
mod event;
mod frame;
mod handshake;
mod header;
mod limits;
mod payload;
#[cfg(test)]
mod tests;

pub(crate) use decoder::Decoder;
pub(crate) use event::{Violation, WireEvent};
pub(crate) use frame::{Frame, binary_frame, close_frame, payload_of, ping_frame, pong_frame, text_frame};
pub(crate) use handshake::accept;
pub(crate) use limits::DecoderLimits;
