//! Counts by key. A key whose count is zero is not stored.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

pub(super) fn count<K: Eq + Hash>(counts: &HashMap<K, usize>, key: &K) -> usize {
    counts.get(key).copied().unwrap_or(0)
}

pub(super) fn increment<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: K) {
    *counts.entry(key).or_default() += 1;
}

/// Takes one from a count. A count of zero stays zero.
pub(super) fn decrement<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: K) {
    if let Entry::Occupied(mut entry) = counts.entry(key) {
        match entry.get_mut() {
            0 | 1 => drop(entry.remove()),
            count => *count -= 1,
        }
    }
}
