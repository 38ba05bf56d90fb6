//! Messages of one group that enter the members' outboxes together.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::outbox::Chunk;
use crate::message::{Codec, EncodedMessage, Except, Overflow};

/// Largest size of a batch in bytes, so that a slow member keeps little memory alive.
const MAX_BATCH: usize = 64 * 1024;
/// Divisor of the bound of an outbox that also limits a batch: a chunk that is partly written cannot be dropped.
const OUTBOX_PART: usize = 4;

/// Consecutive messages of one group. Each codec gets one chunk, which all members share.
#[derive(Debug)]
pub(super) struct GroupBatch {
    pub(super) group: u32,
    pub(super) except: Except,
    first: Arc<EncodedMessage>,
    frames: u32,
    json: JoinedFrames,
    /// `None` if no member of the group uses MessagePack.
    msgpack: Option<JoinedFrames>,
}

/// The frames of a batch one after another. Empty until there are two.
#[derive(Debug, Default)]
struct JoinedFrames(BytesMut);

/// The content of a batch in each codec.
#[derive(Debug)]
pub(super) struct GroupChunks {
    json: Option<Chunk>,
    msgpack: Option<Chunk>,
}

impl GroupBatch {
    pub(super) fn new(group: u32, message: Arc<EncodedMessage>, except: Except, has_msgpack_members: bool) -> Self {
        let msgpack = has_msgpack_members.then(JoinedFrames::default);
        Self { group, except, first: message, frames: 1, json: JoinedFrames::default(), msgpack }
    }

    /// Appends a message and returns how many bytes that adds; `None` if the message needs a batch of its own. Only
    /// messages to all members with the same overflow policy share a batch.
    pub(super) fn append(&mut self, message: &EncodedMessage, except: &Except, max_outbox: usize) -> Option<usize> {
        let next = message.frame(Codec::Json)?;
        let same_policy =
            self.first.overflow() == message.overflow() && !matches!(message.overflow(), Overflow::Latest(_));
        let max = MAX_BATCH.min(max_outbox / OUTBOX_PART);
        if !same_policy || !self.except.is_empty() || !except.is_empty() || self.len() + next.len() > max {
            return None;
        }
        let before = self.len();
        if let Some(msgpack) = &mut self.msgpack {
            msgpack.append(self.first.frame(Codec::MessagePack)?, message.frame(Codec::MessagePack)?);
        }
        if let Some(first) = self.first.frame(Codec::Json) {
            self.json.append(first, next);
        }
        self.frames += 1;
        Some(self.len() - before)
    }

    /// Size in bytes, in JSON.
    pub(super) fn len(&self) -> usize {
        match self.frames {
            1 => self.first.frame(Codec::Json).map_or(0, Bytes::len),
            _ => self.json.0.len(),
        }
    }

    /// The message, if the batch has only one.
    pub(super) fn single(&self) -> Option<&Arc<EncodedMessage>> {
        (self.frames == 1).then_some(&self.first)
    }

    /// Takes the chunks for the members.
    pub(super) fn take_chunks(&mut self) -> GroupChunks {
        let chunk = |bytes| Chunk {
            bytes,
            frames: self.frames,
            group: Some(self.group),
            overflow: self.first.overflow().clone(),
        };
        if self.frames == 1 {
            let first = |codec| self.first.frame(codec).cloned().map(chunk);
            let msgpack = self.msgpack.as_ref().and_then(|_| first(Codec::MessagePack));
            return GroupChunks { json: first(Codec::Json), msgpack };
        }
        let json = Some(chunk(std::mem::take(&mut self.json.0).freeze()));
        let msgpack = self.msgpack.take().map(|JoinedFrames(joined)| chunk(joined.freeze()));
        GroupChunks { json, msgpack }
    }
}

impl JoinedFrames {
    fn append(&mut self, first: &Bytes, next: &Bytes) {
        if self.0.is_empty() {
            // Two messages in a batch are often followed by more. Doubling from here on costs few copies.
            self.0.reserve((first.len() + next.len()) * 4);
            self.0.extend_from_slice(first);
        }
        self.0.extend_from_slice(next);
    }
}

impl GroupChunks {
    /// The chunk in a codec; `None` if the message cannot be represented in it.
    pub(super) fn get(&self, codec: Codec) -> Option<&Chunk> {
        match codec {
            Codec::Json => self.json.as_ref(),
            Codec::MessagePack => self.msgpack.as_ref(),
        }
    }
}
