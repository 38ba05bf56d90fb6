//! What a delivery needs beside the connection: the shard, the names of its rooms, and its counts.

use std::sync::Weak;

use slab::Slab;

use super::Shard;
use super::outbox::{Fate, Lost};
use super::resync::{Cause, Gaps, Missed};
use super::state::Room;
use super::stats::Tally;

/// The parts of a shard around one of its connections.
pub(super) struct World<'a> {
    pub(super) shard: &'a Weak<Shard>,
    pub(super) rooms: &'a Slab<Room>,
    pub(super) tally: &'a mut Tally,
}

impl World<'_> {
    /// Counts what is not sent, and notes what the connection has missed by that.
    pub(super) fn note(&mut self, lost: Lost, missed: &mut Option<Box<Missed>>) {
        let chunk = match lost {
            Lost::Replaced(chunk) => {
                self.tally.dropped.replaced += u64::from(chunk.frames);
                return;
            }
            Lost::Dropped(chunk) => chunk,
        };
        let dropped = &mut self.tally.dropped;
        let count = match chunk.fate {
            Fate::Stays => return,
            Fate::Newest => &mut dropped.newest,
            Fate::Oldest => &mut dropped.oldest,
            Fate::Latest(_) => &mut dropped.latest,
        };
        *count += u64::from(chunk.frames);
        let room = chunk.room.and_then(|room| self.rooms.get(room as usize));
        let gaps = match room.and_then(|room| room.name.clone()) {
            Some(group) => Gaps::These(vec![group]),
            None => Gaps::All,
        };
        missed.get_or_insert_with(|| Box::new(Missed::new())).note(gaps, Cause::Overflow);
    }
}
