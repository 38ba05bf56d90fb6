//! What a delivery needs beside the connection: the shard, the names of its rooms, and its counts.

use std::sync::Weak;

use slab::Slab;

use super::Shard;
use super::outbox::Discarded;
use super::resync::{Affected, LossReason, ResyncState};
use super::state::Group;
use super::stats::ShardStats;
use crate::message::Overflow;

/// The parts of a shard around one of its connections.
pub(super) struct DeliveryContext<'a> {
    pub(super) shard: &'a Weak<Shard>,
    pub(super) rooms: &'a Slab<Group>,
    pub(super) tally: &'a mut ShardStats,
}

impl DeliveryContext<'_> {
    /// Counts what is not sent, and notes what the connection has missed by that.
    pub(super) fn note(&mut self, lost: Discarded, missed: &mut Option<Box<ResyncState>>) {
        let chunk = match lost {
            Discarded::Replaced(chunk) => {
                self.tally.dropped.replaced += u64::from(chunk.frames);
                return;
            }
            Discarded::Dropped(chunk) => chunk,
        };
        let dropped = &mut self.tally.dropped;
        let count = match chunk.overflow {
            Overflow::Disconnect => return,
            Overflow::DropNewest => &mut dropped.newest,
            Overflow::DropOldest => &mut dropped.oldest,
            Overflow::Latest(_) => &mut dropped.latest,
        };
        *count += u64::from(chunk.frames);
        let room = chunk.room.and_then(|room| self.rooms.get(room as usize));
        let gaps = match room.and_then(|room| room.name.clone()) {
            Some(group) => Affected::Groups(vec![group]),
            None => Affected::All,
        };
        missed.get_or_insert_with(|| Box::new(ResyncState::new())).note(gaps, LossReason::Overflow);
    }
}
