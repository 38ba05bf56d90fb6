//! When each connection of a shard is pinged: one timer for all of them, and a wheel.

use std::time::Duration;

use super::shard::SlotId;

/// How often connections are pinged, and how long one may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heartbeat {
    /// `WS_HEARTBEAT_INTERVAL`.
    pub(crate) interval: Duration,
    /// `WS_HEARTBEAT_TIMEOUT`.
    pub(crate) timeout: Duration,
}

/// The timer of a shard without a heartbeat, and the slowest with one.
const SLOWEST: Duration = Duration::from_millis(250);
/// The fastest timer.
const FASTEST: Duration = Duration::from_millis(10);
/// How many parts an interval has at most: so many groups of connections are pinged one after the other.
const PARTS: u32 = 256;

/// Each connection has a slot, and is visited when the wheel comes by: once in an interval.
///
/// The slots are given out by the connections' numbers in a scattered order, so those that came together, after a
/// restart of the server or of a network, are not pinged together.
#[derive(Debug)]
pub(super) struct HeartbeatWheel {
    heartbeat: Option<Heartbeat>,
    tick: Duration,
    now: u32,
    slots: Vec<Vec<SlotId>>,
}

impl HeartbeatWheel {
    pub(super) fn new(heartbeat: Option<Heartbeat>) -> Self {
        let tick = tick(heartbeat);
        let slots = heartbeat.map_or(0, |heartbeat| parts(heartbeat.interval, tick));
        Self { heartbeat, tick, now: 0, slots: (0..slots).map(|_| Vec::new()).collect() }
    }

    /// The time of the shard, in ticks of its timer.
    pub(super) fn now(&self) -> u32 {
        self.now
    }

    /// How long ago a tick was.
    pub(super) fn since(&self, tick: u32) -> Duration {
        self.tick * self.now.wrapping_sub(tick)
    }

    pub(super) fn add(&mut self, member: SlotId) {
        // Multiples of the golden ratio are spread evenly, however many there are (Knuth 6.4).
        let scattered = member.serial.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let slots = self.slots.len() as u64;
        if let Some(at) = scattered.checked_rem(slots)
            && let Some(slot) = self.slots.get_mut(usize::try_from(at).unwrap_or(0))
        {
            slot.push(member);
        }
    }

    /// Goes on to the next slot. Its members are taken out; those that are still there are to be put back.
    pub(super) fn turn(&mut self) -> Vec<SlotId> {
        self.now = self.now.wrapping_add(1);
        self.slot().map(std::mem::take).unwrap_or_default()
    }

    /// Puts back the members of the slot.
    pub(super) fn put_back(&mut self, members: Vec<SlotId>) {
        if let Some(slot) = self.slot() {
            *slot = members;
        }
    }

    fn slot(&mut self) -> Option<&mut Vec<SlotId>> {
        let at = (self.now as usize).checked_rem(self.slots.len())?;
        self.slots.get_mut(at)
    }

    /// Whether a connection of which was heard last at `tick` counts as gone.
    pub(super) fn is_gone(&self, tick: u32) -> bool {
        self.heartbeat.is_some_and(|heartbeat| self.since(tick) >= heartbeat.timeout)
    }
}

/// How often the timer of a shard rings.
pub(super) fn tick(heartbeat: Option<Heartbeat>) -> Duration {
    heartbeat.map_or(SLOWEST, |heartbeat| (heartbeat.interval / PARTS).clamp(FASTEST, SLOWEST))
}

/// So many that a round takes no longer than the interval.
fn parts(interval: Duration, tick: Duration) -> usize {
    usize::try_from(interval.as_nanos() / tick.as_nanos().max(1)).unwrap_or(usize::MAX).clamp(1, 1 << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_visited_once_in_an_interval_and_not_together() {
        for (interval, timeout) in [(30, 60), (1, 2), (3600, 7200)] {
            let heartbeat =
                Heartbeat { interval: Duration::from_secs(interval), timeout: Duration::from_secs(timeout) };
            let mut wheel = HeartbeatWheel::new(Some(heartbeat));
            for serial in 1..=1000 {
                wheel.add(SlotId { index: 0, serial });
            }
            let slots = wheel.slots.len();
            assert!(wheel.tick * u32::try_from(slots).unwrap_or(0) <= heartbeat.interval);
            let most = 1000usize.div_ceil(slots) * 3 + 3;
            for _ in 0..2 {
                let mut visited = 0;
                for _ in 0..slots {
                    let members = wheel.turn();
                    assert!(members.len() <= most, "{} of 1000 in one of {slots}", members.len());
                    visited += members.len();
                    wheel.put_back(members);
                }
                assert_eq!(visited, 1000);
            }
        }
    }
}
