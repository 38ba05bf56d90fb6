//! Serialization of first joins.

use std::hash::{DefaultHasher, Hash, Hasher};

use tokio::sync::Mutex;

use crate::id::GroupName;

/// Locks that serialize the first joins of each group on this node. Two groups may share a lock.
#[derive(Debug)]
pub(super) struct FirstJoins([Mutex<()>; 64]);

impl Default for FirstJoins {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(())))
    }
}

impl FirstJoins {
    /// The lock of a group.
    pub(super) fn lock(&self, group: &GroupName) -> &Mutex<()> {
        let mut hasher = DefaultHasher::new();
        group.hash(&mut hasher);
        let [first, ..] = &self.0;
        let at = usize::try_from(hasher.finish() % self.0.len() as u64).unwrap_or(0);
        self.0.get(at).unwrap_or(first)
    }
}
