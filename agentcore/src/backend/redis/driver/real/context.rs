//! The state that all connections of a driver share.

use std::sync::atomic::AtomicBool;

use super::scripts::Scripts;
use crate::backend::redis::keys::Keyspace;

/// The keys and scripts of a driver.
pub(super) struct DriverContext {
    pub(super) keyspace: Keyspace,
    pub(super) scripts: Scripts,
    pub(super) times: ScriptTimes,
    /// Whether the log has a warning about the eviction policy.
    pub(super) warned_of_eviction: AtomicBool,
}

impl DriverContext {
    pub(super) fn new(keyspace: Keyspace, times: ScriptTimes) -> Self {
        Self { keyspace, scripts: Scripts::new(), times, warned_of_eviction: AtomicBool::new(false) }
    }
}

/// The durations that registry scripts get, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScriptTimes {
    pub(super) lease: u64,
    pub(super) registry_expiry: u64,
    pub(super) presence_expiry: u64,
    /// Grace period of a presence.
    pub(super) grace: u64,
}
