//! The message that says: something may be missing, load again.

use std::collections::HashMap;

use serde::Serialize;

use super::Inner;
use crate::backend::ResyncReason;
use crate::id::{ConnectionId, GroupName};
use crate::message::write_envelope;
use crate::registry::Command;
use crate::wire::text_frame;

/// Clients load again after a random part of this, so that they do not all ask at once.
const SPREAD_MS: u64 = 2000;

#[derive(Serialize)]
struct Resync<'a> {
    /// Which groups; `None`: all.
    groups: Option<&'a [GroupName]>,
    reason: &'static str,
    spread_ms: u64,
}

impl Inner {
    /// Tells the connections in `groups`, or all, that something may be missing.
    pub(super) fn resync(&self, groups: Option<&[GroupName]>, reason: ResyncReason) {
        let Some(groups) = groups else {
            for connection in self.registry.all() {
                self.tell(connection.id(), None, reason);
            }
            return;
        };
        // One message for each connection, with those of the groups that it is in.
        let mut missing: HashMap<ConnectionId, Vec<GroupName>> = HashMap::new();
        for group in groups {
            for connection in self.registry.members(group) {
                missing.entry(connection.id()).or_default().push(group.clone());
            }
        }
        for (id, groups) in missing {
            self.tell(id, Some(&groups), reason);
        }
    }

    fn tell(&self, id: ConnectionId, groups: Option<&[GroupName]>, reason: ResyncReason) {
        let reason = match reason {
            ResyncReason::Backend => "backend",
            ResyncReason::Peer => "peer",
        };
        let data = Resync { groups, reason, spread_ms: SPREAD_MS };
        let frame = text_frame(|buffer| write_envelope(buffer, "agentcore.resync", &data));
        let (Some(connection), Ok(frame)) = (self.registry.connection(id), frame) else { return };
        let command = Command::Direct(connection.member(), frame.into_bytes());
        if let Err(command) = connection.shard().submit(command) {
            let shard = connection.shard().clone();
            if let Some(runtime) = connection.shard().runtime() {
                runtime.spawn(async move { shard.wait(command).await });
            }
        }
    }
}
