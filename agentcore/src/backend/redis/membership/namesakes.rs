//! Other nodes with the name of this one, which share its entry in counts, metrics and logs.

use std::collections::HashMap;
use std::time::Duration;

use super::super::driver::{ClusterView, Peer};
use crate::id::NodeId;

/// The nodes with the same name, by incarnation.
#[derive(Debug, Default)]
pub(in super::super) struct Namesakes(HashMap<u64, Namesake>);

#[derive(Debug)]
struct Namesake {
    /// Latest end of its leases, by the clock of Redis.
    expiry: Duration,
    is_reported: bool,
}

impl Namesakes {
    /// Reads a view, and warns once of each other node with this name that is alive.
    ///
    /// An earlier run of this node that was killed has a lease for a while too. Only a living node renews it.
    pub(super) fn update(&mut self, name: &NodeId, incarnation: u64, view: &ClusterView) {
        let is_namesake = |peer: &&Peer| peer.node == *name && peer.incarnation != incarnation;
        self.0.retain(|incarnation, _| view.live.iter().any(|peer| peer.incarnation == *incarnation));
        for peer in view.live.iter().filter(is_namesake) {
            let known = self.0.entry(peer.incarnation);
            let known = known.or_insert(Namesake { expiry: peer.expiry, is_reported: false });
            if peer.expiry > known.expiry && !known.is_reported {
                known.is_reported = true;
                tracing::warn!(
                    node = %name,
                    "another node has the same name: give each its own SERVER_INSTANCE_ID, or their counts, metrics and \
                     logs cannot be told apart"
                );
            }
            known.expiry = known.expiry.max(peer.expiry);
        }
    }
}
