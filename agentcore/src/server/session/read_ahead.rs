//! Reading on while something else runs for the connection.

use std::mem;
use std::task::{Context, Poll};

use super::abuse::AbuseMonitor;
use super::close::SessionEnd;
use super::request::{Ahead, Next};
use super::socket::Reader;
use crate::registry::Connection;
use crate::wire::Decoder;

/// While a handler runs, at most this many bytes are read ahead.
const MAX_AHEAD: usize = 64 * 1024;

/// What is read from, and how it behaves.
pub(super) struct Source<'c> {
    pub(super) reader: &'c mut Reader,
    pub(super) decoder: &'c mut Decoder,
    pub(super) abuse: &'c mut AbuseMonitor,
}

/// The reading end of a connection while a handler or a hook runs: until one message is complete or 64 KiB are there, so
/// pings are answered and a vanished peer is noticed.
pub(super) struct Reading<'c> {
    source: Source<'c>,
    connection: &'c Connection,
    ahead: &'c mut Ahead,
    bytes: usize,
    /// Nothing is read: the peer's silence does not count.
    held: bool,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.hold(false);
    }
}

impl<'c> Reading<'c> {
    /// Goes on behind what is in `ahead`.
    pub(super) fn new(source: Source<'c>, connection: &'c Connection, ahead: &'c mut Ahead) -> Self {
        let mut unread = mem::take(&mut ahead.rest);
        ahead.feed(&mut unread, source.decoder, connection, source.abuse);
        Self { source, connection, ahead, bytes: 0, held: false }
    }

    /// Reads what is there.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        while !self.is_full() {
            let Source { reader, decoder, abuse } = &mut self.source;
            match reader.poll_read(cx) {
                Poll::Pending => break,
                Poll::Ready(Err(_)) => self.ahead.next = Some(Next::Lost),
                Poll::Ready(Ok(mut buffer)) => {
                    let filled = buffer.filled();
                    if filled.is_empty() {
                        self.ahead.next = Some(Next::Lost);
                    } else {
                        self.connection.shard().mark_active(self.connection.slot());
                    }
                    self.bytes += filled.len();
                    self.ahead.feed(filled, decoder, self.connection, abuse);
                }
            }
        }
        self.hold(self.is_full());
    }

    fn is_full(&self) -> bool {
        self.ahead.next.is_some() || self.bytes >= MAX_AHEAD
    }

    fn hold(&mut self, held: bool) {
        if self.held != held {
            self.held = held;
            self.connection.shard().pause_heartbeat(self.connection.slot(), held);
        }
    }

    /// How the peer has ended the connection, if it has.
    pub(super) fn ended(&mut self) -> Option<SessionEnd> {
        match self.ahead.next.take()? {
            Next::Close(close) => Some(SessionEnd::PeerClosed(close)),
            Next::Violation(violation) => Some(SessionEnd::Violation(violation)),
            Next::Failed(error) => Some(SessionEnd::Failed(error)),
            Next::Lost => Some(SessionEnd::Lost),
            next => {
                self.ahead.next = Some(next);
                None
            }
        }
    }
}
