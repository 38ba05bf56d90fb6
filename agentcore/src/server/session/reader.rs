//! The reading end of a session: bytes become messages, ping frames are answered, and the peer's end is noticed.
//!
//! The read loop, the read-ahead beside a handler and the close handshake use the same reader, so each continues where
//! the one before stopped.

use std::task::{Context, Poll, ready};

use super::abuse::AbuseMonitor;
use super::buffer::ReadBuffer;
use super::end::SessionEnd;
use super::socket::SocketReader;
use crate::message::Input;
use crate::registry::Connection;
use crate::wire::{Decoder, WireEvent, pong_frame};

/// An item that the reader decoded.
#[derive(Debug)]
pub(super) enum ReadItem<'r> {
    /// A complete message. It borrows from the read buffer if it arrived in one piece.
    Message(Input<'r>),
    /// A ping or a pong, which the reader has answered and counted.
    Control,
    /// The end of the session: a close frame, a violation, too many pings, or the end of the stream.
    End(SessionEnd),
}

/// Reads and decodes what one client sends.
///
/// Alternate [`next`](Self::next) until it returns `None` with [`poll_fill`](Self::poll_fill).
pub(super) struct MessageReader {
    socket: SocketReader,
    decoder: Decoder,
    buffer: ReadBuffer,
    /// The item that was decoded while a handler ran, and waits for the handler's end.
    parked: Option<Parked>,
    /// `next` has returned the parked message, which is dropped by the following call.
    parked_returned: bool,
    /// The stream has ended or failed.
    lost: bool,
}

#[derive(Debug)]
enum Parked {
    Text(String),
    Binary(Vec<u8>),
    End(SessionEnd),
}

impl MessageReader {
    /// Creates a reader that decodes `read` before it reads from `socket`.
    pub(super) fn new(socket: SocketReader, decoder: Decoder, read: Vec<u8>) -> Self {
        let buffer = ReadBuffer::owned(read);
        Self { socket, decoder, buffer, parked: None, parked_returned: false, lost: false }
    }

    /// Returns the next item of the bytes that were read; `None` when more bytes are needed.
    pub(super) fn next(&mut self, connection: &Connection, abuse: &mut AbuseMonitor) -> Option<ReadItem<'_>> {
        self.drop_returned();
        if let Some(end) = self.take_parked_end() {
            return Some(ReadItem::End(end));
        }
        match &self.parked {
            Some(Parked::Text(text)) => {
                self.parked_returned = true;
                return Some(ReadItem::Message(Input::Text(text)));
            }
            Some(Parked::Binary(bytes)) => {
                self.parked_returned = true;
                return Some(ReadItem::Message(Input::Binary(bytes)));
            }
            Some(Parked::End(_)) | None => {}
        }
        if self.lost {
            return Some(ReadItem::End(SessionEnd::Lost));
        }
        Some(match self.buffer.decode(&mut self.decoder) {
            Ok(None) => return None,
            Ok(Some(WireEvent::Text(text))) => ReadItem::Message(Input::Text(text)),
            Ok(Some(WireEvent::Binary(bytes))) => ReadItem::Message(Input::Binary(bytes)),
            Ok(Some(WireEvent::Ping(payload))) => {
                connection.shard().pong(connection.slot(), pong_frame(payload));
                control(connection, abuse)
            }
            Ok(Some(WireEvent::Pong)) => control(connection, abuse),
            Ok(Some(WireEvent::Close(close))) => {
                ReadItem::End(SessionEnd::PeerClosed(close.map(|(code, reason)| (code, reason.to_owned()))))
            }
            Err(violation) => ReadItem::End(SessionEnd::Violation(violation)),
        })
    }

    /// Reads from the socket after [`next`](Self::next) has returned `None`, and returns the number of bytes. At 0 the
    /// stream is over, and `next` returns the end. While the read is pending, no buffer is held.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        self.buffer = ReadBuffer::default();
        if self.lost {
            return Poll::Ready(0);
        }
        if let Ok(buffer) = ready!(self.socket.poll_read(cx)) {
            self.buffer = buffer;
        }
        self.lost = self.buffer.len() == 0;
        Poll::Ready(self.buffer.len())
    }

    /// Decodes until an item must wait for the handler that runs, or all bytes are used, and detaches the buffer.
    pub(super) fn park(&mut self, connection: &Connection, abuse: &mut AbuseMonitor) {
        self.drop_returned();
        while self.parked.is_none() {
            self.parked = match self.next(connection, abuse) {
                None => break,
                Some(ReadItem::Control) => continue,
                Some(ReadItem::Message(Input::Text(text))) => Some(Parked::Text(text.to_owned())),
                Some(ReadItem::Message(Input::Binary(bytes))) => Some(Parked::Binary(bytes.to_vec())),
                Some(ReadItem::End(end)) => Some(Parked::End(end)),
            };
        }
        self.buffer.detach();
    }

    /// Whether an item waits for the handler that runs.
    pub(super) fn is_parked(&self) -> bool {
        self.parked.is_some()
    }

    /// Returns the parked end of the session; a parked message stays.
    pub(super) fn take_parked_end(&mut self) -> Option<SessionEnd> {
        match self.parked.take()? {
            Parked::End(end) => Some(end),
            message => {
                self.parked = Some(message);
                None
            }
        }
    }

    /// Whether a message has begun and is not complete.
    pub(super) fn is_mid_message(&self) -> bool {
        self.decoder.is_mid_message()
    }

    /// Gives the worker's buffer back, and drops the message that [`next`](Self::next) returned last.
    pub(super) fn detach(&mut self) {
        self.drop_returned();
        self.buffer.detach();
    }

    /// Discards what the peer sends until its close frame or the end of the stream. After our close frame, pings are
    /// neither answered nor counted. A violation ends the wait, because no close frame can be decoded after it; with
    /// `decodable` false, only the end of the stream does.
    ///
    /// A socket that is closed with unread data is reset, and the peer might lose our close frame. So it is read, but at
    /// most `left` bytes of it: after that, this stays pending and wakes no task.
    pub(super) fn poll_peer_close(&mut self, decodable: bool, left: &mut usize, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(Parked::End(SessionEnd::PeerClosed(_) | SessionEnd::Violation(_) | SessionEnd::Lost)) =
            self.parked.take()
        {
            return Poll::Ready(());
        }
        if self.discard_until_close(decodable) {
            return Poll::Ready(());
        }
        if *left == 0 {
            return Poll::Pending;
        }
        let read = ready!(self.poll_fill(cx));
        *left = left.saturating_sub(read);
        if read == 0 || self.discard_until_close(decodable) {
            return Poll::Ready(());
        }
        // Other connections have their turn before the next bytes: a peer that never pauses must not delay them.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Discards the bytes that were read; returns whether a close frame or a violation is among them.
    fn discard_until_close(&mut self, decodable: bool) -> bool {
        if decodable {
            loop {
                match self.buffer.decode(&mut self.decoder) {
                    Ok(None) => break,
                    Ok(Some(WireEvent::Close(_))) | Err(_) => return true,
                    Ok(Some(_)) => {}
                }
            }
        }
        self.buffer = ReadBuffer::default();
        false
    }

    fn drop_returned(&mut self) {
        if std::mem::take(&mut self.parked_returned) {
            self.parked = None;
        }
    }
}

/// Counts a ping or a pong.
fn control<'r>(connection: &Connection, abuse: &mut AbuseMonitor) -> ReadItem<'r> {
    match abuse.count_ping(connection) {
        Ok(()) => ReadItem::Control,
        Err(error) => ReadItem::End(SessionEnd::Failed(error)),
    }
}
