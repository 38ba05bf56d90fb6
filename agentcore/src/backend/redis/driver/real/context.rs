//! What all links of a driver use.

use std::sync::atomic::AtomicBool;

use super::scripts::Scripts;
use crate::backend::redis::keys::Keyspace;

/// What all links of a driver use.
pub(super) struct DriverContext {
    pub(super) names: Keyspace,
    pub(super) scripts: Scripts,
    pub(super) times: ScriptTimes,
    /// The policy of eviction has been warned of.
    pub(super) warned: AtomicBool,
}

/// Durations that scripts are given, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScriptTimes {
    pub(super) lease: u64,
    pub(super) registry: u64,
    pub(super) presence: u64,
    pub(super) grace: u64,
}
