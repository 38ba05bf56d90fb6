//! The WebSocket protocol of the server's side without any I/O (RFC 6455): bytes in, events out, frames as bytes.
//!
//! It owns framing, masking, fragments, UTF-8 and the rules of control frames. It does not own sockets, the order of
//! closing, or what a message means.

mod decoder;
mod event;
mod frame;
mod handshake;
mod header;
mod payload;
#[cfg(test)]
mod tests;

pub(crate) use decoder::{Decoder, DecoderLimits};
pub(crate) use event::{Violation, WireEvent};
pub(crate) use frame::{Frame, binary_frame, close_frame, payload_of, ping_frame, pong_frame, text_frame};
pub(crate) use handshake::accept;
