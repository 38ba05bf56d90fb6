//! The read buffer that all connections of a worker share.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use crate::wire::{Decoder, Violation, WireEvent};

/// Size of the worker's buffer, in bytes: the most that one read takes from a socket.
const SIZE: usize = 64 * 1024;

thread_local! {
    /// The worker's buffer while no connection uses it.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Bytes that were read and not decoded yet: in the worker's buffer, or in an allocation of their own.
///
/// The worker's buffer returns to the worker when this is dropped or [detached](Self::detach). A connection detaches
/// before it waits, so the next connection finds the buffer.
#[derive(Debug, Default)]
pub(super) struct ReadBuffer {
    bytes: Vec<u8>,
    /// The bytes before `start` are decoded.
    start: usize,
    /// The bytes from `end` on are free.
    end: usize,
}

impl Drop for ReadBuffer {
    fn drop(&mut self) {
        if self.bytes.len() == SIZE {
            SPARE.set(std::mem::take(&mut self.bytes));
        }
    }
}

impl ReadBuffer {
    /// Wraps bytes that are not in the worker's buffer.
    pub(super) fn owned(bytes: Vec<u8>) -> Self {
        Self { start: 0, end: bytes.len(), bytes }
    }

    /// Reads once from `socket` into the worker's buffer. An empty result is the end of the stream.
    pub(super) fn poll_read<S: AsyncRead + Unpin>(socket: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<Self>> {
        let mut bytes = SPARE.take();
        bytes.resize(SIZE, 0);
        let mut buffer = Self { bytes, start: 0, end: 0 };
        let mut space = ReadBuf::new(&mut buffer.bytes);
        // A partly filled buffer tells tokio that the socket is empty, which saves a read that returns `WouldBlock`.
        ready!(Pin::new(socket).poll_read(cx, &mut space))?;
        buffer.end = space.filled().len();
        Poll::Ready(Ok(buffer))
    }

    /// Returns the number of bytes that are not decoded.
    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }

    /// Decodes the next event without copying it; `None` when more bytes are needed.
    ///
    /// # Errors
    /// The violation that ends the stream.
    pub(super) fn decode<'b>(&'b mut self, decoder: &'b mut Decoder) -> Result<Option<WireEvent<'b>>, Violation> {
        let mut input = self.bytes.get_mut(self.start..self.end).unwrap_or_default();
        let event = decoder.next(&mut input);
        self.start = self.end - input.len();
        event
    }

    /// Gives the worker's buffer back. Bytes that are not decoded move to an allocation of their own.
    pub(super) fn detach(&mut self) {
        if self.len() == 0 {
            *self = Self::default();
        } else if self.bytes.len() == SIZE {
            *self = Self::owned(self.bytes.get(self.start..self.end).unwrap_or_default().to_vec());
        }
    }
}
