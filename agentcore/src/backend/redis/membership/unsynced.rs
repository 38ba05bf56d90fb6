//! Admissions and releases that Redis does not know yet.

use std::collections::HashMap;

use super::super::driver::Change;
use crate::backend::Admission;

/// For each user and address, the number of connections that this node has beyond those that Redis counts; negative if
/// it has fewer. An admission and its release cancel out.
#[derive(Debug, Default)]
pub(super) struct UnsyncedAdmissions(HashMap<Admission, isize>);

impl UnsyncedAdmissions {
    /// Notes an admission.
    pub(super) fn admit(&mut self, admission: Admission) {
        self.add(admission, 1);
    }

    /// Notes a release.
    pub(super) fn release(&mut self, admission: Admission) {
        self.add(admission, -1);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Moves everything to `changes`, releases first. Returns the number of releases.
    pub(super) fn take_changes(&mut self, changes: &mut Vec<Change>) -> usize {
        let (released, admitted): (Vec<_>, Vec<_>) = self.0.drain().partition(|(_, balance)| *balance < 0);
        for (admission, balance) in released {
            changes.extend((balance..0).map(|_| Change::Release(admission.clone())));
        }
        let releases = changes.len();
        for (admission, balance) in admitted {
            changes.extend((0..balance).map(|_| Change::ForceAdmit(admission.clone())));
        }
        releases
    }

    fn add(&mut self, admission: Admission, by: isize) {
        let balance = self.0.get(&admission).copied().unwrap_or(0) + by;
        if balance == 0 {
            self.0.remove(&admission);
        } else {
            self.0.insert(admission, balance);
        }
    }
}
