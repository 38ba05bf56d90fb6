//! Reading on while the application's code runs for a connection.

use std::task::{Context, Poll};

use super::abuse::AbuseMonitor;
use super::end::SessionEnd;
use super::reader::MessageReader;
use crate::registry::Connection;

/// Bytes read from the socket beside one handler, at most; a read in progress may exceed it by one buffer.
const MAX_BYTES: usize = 64 * 1024;

/// Reads beside a handler or a hook until one message is complete or 64 KiB are read, so that pings are answered and a
/// vanished peer is noticed.
pub(super) struct ReadAhead<'c> {
    reader: &'c mut MessageReader,
    abuse: &'c mut AbuseMonitor,
    connection: &'c Connection,
    bytes: usize,
    /// Reading is paused, so the heartbeat must not count the peer as silent.
    paused: bool,
}

impl Drop for ReadAhead<'_> {
    fn drop(&mut self) {
        self.set_paused(false);
    }
}

impl<'c> ReadAhead<'c> {
    /// Continues with the bytes that `reader` has not decoded.
    pub(super) fn new(reader: &'c mut MessageReader, abuse: &'c mut AbuseMonitor, connection: &'c Connection) -> Self {
        reader.park(connection, abuse);
        Self { reader, abuse, connection, bytes: 0, paused: false }
    }

    /// Reads what is available.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        while !self.is_full() {
            let Poll::Ready(read) = self.reader.poll_fill(cx) else { break };
            if read > 0 {
                self.connection.shard().mark_active(self.connection.slot());
            }
            self.bytes += read;
            self.reader.park(self.connection, self.abuse);
        }
        self.set_paused(self.is_full());
    }

    /// Returns how the peer has ended the session, if it has.
    pub(super) fn take_end(&mut self) -> Option<SessionEnd> {
        self.reader.take_parked_end()
    }

    fn is_full(&self) -> bool {
        self.reader.is_parked() || self.bytes >= MAX_BYTES
    }

    fn set_paused(&mut self, paused: bool) {
        if self.paused != paused {
            self.paused = paused;
            self.connection.shard().pause_heartbeat(self.connection.slot(), paused);
        }
    }
}
