#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]
//! Tests of the decoder against RFC 6455: what it accepts, what it refuses, and how much it keeps.

mod bounds;
mod golden;
mod handshake;
mod properties;
mod violations;

use std::sync::Arc;

use super::{Decoder, DecoderLimits, Violation, WireEvent};

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CONTINUATION: u8 = 0;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
/// The bit of the last frame of a message.
const FIN: u8 = 0x80;

fn limits() -> Arc<DecoderLimits> {
    limited(1 << 20, 1000)
}

fn limited(max_message: usize, max_frames: u32) -> Arc<DecoderLimits> {
    Arc::new(DecoderLimits::new(max_message, max_frames, usize::MAX))
}

/// An event that outlives its input.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Option<(u16, String)>),
}

impl From<WireEvent<'_>> for Seen {
    fn from(event: WireEvent<'_>) -> Self {
        match event {
            WireEvent::Text(text) => Self::Text(text.to_owned()),
            WireEvent::Binary(data) => Self::Binary(data.to_vec()),
            WireEvent::Ping(payload) => Self::Ping(payload.to_vec()),
            WireEvent::Pong => Self::Pong,
            WireEvent::Close(close) => Self::Close(close.map(|(code, reason)| (code.into(), reason.to_owned()))),
        }
    }
}

/// A client's header: `first` has the opcode and the flags.
fn header(first: u8, len: u64, mask: [u8; 4]) -> Vec<u8> {
    let mut header = vec![first];
    match len {
        0..=125 => header.push(0x80 | u8::try_from(len).unwrap()),
        126..=0xFFFF => {
            header.push(0x80 | 126);
            header.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
        _ => {
            header.push(0x80 | 127);
            header.extend(len.to_be_bytes());
        }
    }
    header.extend(mask);
    header
}

fn masked(payload: &[u8], mask: [u8; 4]) -> impl Iterator<Item = u8> {
    payload.iter().zip(mask.into_iter().cycle()).map(|(byte, mask)| byte ^ mask)
}

/// A client's frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    frame_masked(first, payload, [0x37, 0xFA, 0x21, 0x3D])
}

fn frame_masked(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut frame = header(first, payload.len() as u64, mask);
    frame.extend(masked(payload, mask));
    frame
}

/// Everything that `decoder` makes of `bytes`, and how it ended.
fn feed(decoder: &mut Decoder, bytes: &[u8]) -> (Vec<Seen>, Option<Violation>) {
    let mut buffer = bytes.to_vec();
    let mut input = buffer.as_mut_slice();
    let mut seen = Vec::new();
    loop {
        match decoder.next(&mut input) {
            Ok(Some(event)) => seen.push(event.into()),
            Ok(None) => {
                assert!(input.is_empty());
                return (seen, None);
            }
            Err(violation) => return (seen, Some(violation)),
        }
    }
}

/// Feeds `bytes` in chunks that end at `cuts`, in rising order.
fn feed_cut(decoder: &mut Decoder, bytes: &[u8], cuts: &[usize]) -> (Vec<Seen>, Option<Violation>) {
    let mut seen = Vec::new();
    let mut from = 0;
    for to in cuts.iter().copied().chain([bytes.len()]) {
        let (more, violation) = feed(decoder, &bytes[from..to]);
        seen.extend(more);
        if violation.is_some() {
            return (seen, violation);
        }
        from = to;
    }
    (seen, None)
}

/// Decodes `bytes` with a new decoder.
fn decode(bytes: &[u8]) -> (Vec<Seen>, Option<Violation>) {
    feed(&mut Decoder::new(limits()), bytes)
}

/// Decodes `bytes` with a new decoder, one byte at a time.
fn decode_bytewise(bytes: &[u8]) -> (Vec<Seen>, Option<Violation>) {
    feed_cut(&mut Decoder::new(limits()), bytes, &(1..bytes.len()).collect::<Vec<_>>())
}

fn text(text: &str) -> Seen {
    Seen::Text(text.to_owned())
}
