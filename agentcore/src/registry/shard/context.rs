//! The parts of a shard that a delivery to one slot needs.

use slab::Slab;

use super::group::Group;
use super::outbox::Discarded;
use super::resync::{Affected, LossReason, ResyncState};
use super::stats::ShardStats;
use super::write_waiter::WriteWaiter;
use crate::message::Overflow;

/// The shard around the slot that takes a delivery.
pub(super) struct DeliveryContext<'a> {
    pub(super) waiter: &'a WriteWaiter,
    pub(super) groups: &'a Slab<Group>,
    pub(super) stats: &'a mut ShardStats,
}

impl DeliveryContext<'_> {
    /// Counts messages that are not sent, and records the loss unless a newer message replaces them.
    pub(super) fn record_discarded(&mut self, discarded: Discarded, resync: &mut Option<Box<ResyncState>>) {
        let chunk = match discarded {
            Discarded::Replaced(chunk) => {
                self.stats.dropped.replaced += u64::from(chunk.frames);
                return;
            }
            Discarded::Dropped(chunk) => chunk,
        };
        let dropped = &mut self.stats.dropped;
        let count = match chunk.overflow {
            Overflow::Disconnect => return,
            Overflow::DropNewest => &mut dropped.newest,
            Overflow::DropOldest => &mut dropped.oldest,
            Overflow::Latest(_) => &mut dropped.latest,
        };
        *count += u64::from(chunk.frames);
        let group = chunk.group.and_then(|group| self.groups.get(group as usize));
        let affected = match group.and_then(|group| group.name.clone()) {
            Some(name) => Affected::Groups(vec![name]),
            None => Affected::All,
        };
        resync.get_or_insert_default().record(affected, LossReason::Overflow);
    }
}
