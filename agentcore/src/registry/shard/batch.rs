//! Messages of one group on their way into the members' outboxes.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::outbox::Chunk;
use crate::message::{Codec, EncodedMessage, Except, Overflow};

/// Frames are joined up to this many bytes, so that a stalled tail keeps little alive.
const MAX_CHUNK: usize = 64 * 1024;
/// And up to this part of an outbox: a chunk that is half written cannot give way to what comes later.
const OUTBOX_PART: usize = 4;

/// Frames for one group since it was last settled: one shared chunk for each codec goes to every member.
#[derive(Debug)]
pub(super) struct GroupBatch {
    pub(super) room: u32,
    pub(super) except: Except,
    first: Arc<EncodedMessage>,
    frames: u32,
    json: JoinedFrames,
    /// Only while the group has members who speak it.
    packed: Option<JoinedFrames>,
}

/// Begins with the first frame as soon as a second one is there.
#[derive(Debug, Default)]
struct JoinedFrames(BytesMut);

impl JoinedFrames {
    fn join(&mut self, first: &Bytes, next: &Bytes) {
        if self.0.is_empty() {
            // Bursts are common once there are two; growing by doubling from here costs a few copies at most.
            self.0.reserve((first.len() + next.len()) * 4);
            self.0.extend_from_slice(first);
        }
        self.0.extend_from_slice(next);
    }
}

impl GroupBatch {
    pub(super) fn new(room: u32, body: Arc<EncodedMessage>, except: Except, packs: bool) -> Self {
        let packed = packs.then(JoinedFrames::default);
        Self { room, except, first: body, frames: 1, json: JoinedFrames::default(), packed }
    }

    /// Joins another message; false when it must begin a chunk of its own: only what goes to everybody, and has the same
    /// overflow, travels together.
    pub(super) fn join(&mut self, body: &EncodedMessage, except: &Except, max_outbox: usize) -> bool {
        let Some(next) = body.frame(Codec::Json) else { return false };
        let alike = self.first.overflow() == body.overflow() && !matches!(body.overflow(), Overflow::Latest(_));
        let max = MAX_CHUNK.min(max_outbox / OUTBOX_PART);
        if !alike || !self.except.is_empty() || !except.is_empty() || self.len() + next.len() > max {
            return false;
        }
        if let Some(packed) = &mut self.packed {
            let (Some(first), Some(next)) = (self.first.frame(Codec::MessagePack), body.frame(Codec::MessagePack))
            else {
                return false;
            };
            packed.join(first, next);
        }
        if let Some(first) = self.first.frame(Codec::Json) {
            self.json.join(first, next);
        }
        self.frames += 1;
        true
    }

    /// Its bytes in JSON.
    pub(super) fn len(&self) -> usize {
        match self.frames {
            1 => self.first.frame(Codec::Json).map_or(0, Bytes::len),
            _ => self.json.0.len(),
        }
    }

    /// The message, when it is only one.
    pub(super) fn single(&self) -> Option<&Arc<EncodedMessage>> {
        (self.frames == 1).then_some(&self.first)
    }

    /// The chunks for the members; the second is there when the group has members who speak MessagePack.
    pub(super) fn chunks(&mut self) -> GroupChunks {
        let chunk = |bytes| Chunk {
            bytes,
            frames: self.frames,
            room: Some(self.room),
            overflow: self.first.overflow().clone(),
        };
        if self.frames == 1 {
            let of = |codec| self.first.frame(codec).cloned().map(chunk);
            let packed = self.packed.as_ref().and_then(|_| of(Codec::MessagePack));
            return GroupChunks { json: of(Codec::Json), packed };
        }
        let json = Some(chunk(std::mem::take(&mut self.json.0).freeze()));
        let packed = self.packed.take().map(|JoinedFrames(joined)| chunk(joined.freeze()));
        GroupChunks { json, packed }
    }
}

/// A portion of a group's messages, once for each codec.
#[derive(Debug)]
pub(super) struct GroupChunks {
    json: Option<Chunk>,
    packed: Option<Chunk>,
}

impl GroupChunks {
    pub(super) fn of(&self, codec: Codec) -> Option<&Chunk> {
        match codec {
            Codec::Json => self.json.as_ref(),
            Codec::MessagePack => self.packed.as_ref(),
        }
    }
}
