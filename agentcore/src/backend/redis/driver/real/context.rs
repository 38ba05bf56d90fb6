//! What all links of a driver use.

use std::sync::atomic::AtomicBool;

use super::scripts::Scripts;
use crate::backend::redis::keys::Names;

/// What all links of a driver use.
pub(super) struct Shared {
    pub(super) names: Names,
    pub(super) scripts: Scripts,
    pub(super) times: Times,
    /// The policy of eviction has been warned of.
    pub(super) warned: AtomicBool,
}

/// Durations that scripts are given, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) lease: u64,
    pub(super) registry: u64,
    pub(super) presence: u64,
    pub(super) grace: u64,
}
