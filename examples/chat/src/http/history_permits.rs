//! Permits to read and send histories over HTTP. A page takes up to 2 MiB until the client has read it, and reading many
//! of them at once must not delay the chat.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Histories that are read or sent at the same time.
const MAX_PERMITS: usize = 16;

/// Histories for one client address, so that no client keeps the others from reading.
const MAX_PERMITS_PER_ADDRESS: usize = 4;

/// The permits of a node; a clone is the same permits.
#[derive(Clone, Default)]
pub(super) struct HistoryPermits(Arc<Mutex<HashMap<Option<IpAddr>, usize>>>);

impl HistoryPermits {
    /// Returns a permit for this client, if one is free. All clients of unknown address count as one.
    pub(super) fn try_acquire(&self, address: Option<IpAddr>) -> Option<HistoryPermit> {
        let mut held = self.held();
        let of_address = held.get(&address).copied().unwrap_or(0);
        if of_address >= MAX_PERMITS_PER_ADDRESS || held.values().sum::<usize>() >= MAX_PERMITS {
            return None;
        }
        held.insert(address, of_address + 1);
        drop(held);
        Some(HistoryPermit { permits: self.clone(), address })
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Option<IpAddr>, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One permit; dropping it gives it back.
pub(super) struct HistoryPermit {
    permits: HistoryPermits,
    address: Option<IpAddr>,
}

impl Drop for HistoryPermit {
    fn drop(&mut self) {
        let mut held = self.permits.held();
        match held.get_mut(&self.address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(held.remove(&self.address)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_are_limited_for_each_address_and_in_all_and_come_back() {
        let permits = HistoryPermits::default();
        let address = |last| Some(IpAddr::from([10, 0, 0, last]));
        let mut held: Vec<_> = (0..4).filter_map(|_| permits.try_acquire(address(0))).collect();
        assert!(held.len() == 4 && permits.try_acquire(address(0)).is_none());
        held.extend((4..16).filter_map(|n| permits.try_acquire(address(n))));
        assert!(held.len() == 16 && permits.try_acquire(address(99)).is_none() && permits.try_acquire(None).is_none());
        held.pop();
        assert!(permits.try_acquire(address(0)).is_none() && permits.try_acquire(address(99)).is_some());
        held.clear();
        assert!(permits.try_acquire(address(0)).is_some());
        assert!(permits.held().is_empty());
    }
}
