//! Messages of one group on their way into the members' outboxes.

use bytes::{Bytes, BytesMut};

use crate::message::Except;

/// Frames are joined up to this many bytes, so that a stalled tail keeps little alive.
const MAX_CHUNK: usize = 64 * 1024;

/// Frames for one group since it was last settled: one shared chunk goes to every member.
#[derive(Debug)]
pub(super) struct Pending {
    room: u32,
    except: Except,
    first: Bytes,
    /// Begins with `first` as soon as a second frame is there.
    joined: BytesMut,
}

impl Pending {
    pub(super) fn new(room: u32, frame: Bytes, except: Except) -> Self {
        Self { room, except, first: frame, joined: BytesMut::new() }
    }

    /// Joins another frame; false when it must begin a chunk of its own.
    pub(super) fn join(&mut self, frame: &Bytes, except: &Except) -> bool {
        if !self.except.is_empty() || !except.is_empty() || self.len() + frame.len() > MAX_CHUNK {
            return false;
        }
        if self.joined.is_empty() {
            // Bursts are common once there are two; growing by doubling from here costs a few copies at most.
            self.joined.reserve((self.first.len() + frame.len()) * 4);
            self.joined.extend_from_slice(&self.first);
        }
        self.joined.extend_from_slice(frame);
        true
    }

    pub(super) fn len(&self) -> usize {
        if self.joined.is_empty() { self.first.len() } else { self.joined.len() }
    }

    pub(super) fn into_parts(self) -> (u32, Except, Bytes) {
        let chunk = if self.joined.is_empty() { self.first } else { self.joined.freeze() };
        (self.room, self.except, chunk)
    }
}
