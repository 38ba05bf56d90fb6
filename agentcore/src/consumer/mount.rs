//! The description of a consumer for the server, and the tables that the attributes fill at link time.

use std::any::TypeId;
use std::fmt;

use super::handler::Handler;
use super::session::PendingSession;
use super::upgrade_request::{RequiredState, UpgradeRequest};
use crate::error::Result;
use crate::message::Description;

/// A consumer type with its type erased: its route, its handlers and its constructor.
#[derive(Clone, Copy)]
pub struct Mount {
    pub(crate) type_id: TypeId,
    pub(crate) type_name: &'static str,
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) handlers: &'static [Handler],
    /// The index among the mounted consumers. The server assigns it when all of them are known.
    pub(crate) number: usize,
    pub(crate) required: fn() -> Vec<RequiredState>,
    pub(crate) sends: fn() -> Vec<Description>,
    pub(super) construct: fn(&UpgradeRequest<'_>) -> Result<Box<dyn PendingSession>>,
}

impl fmt::Debug for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mount").field("consumer", &self.type_name).field("path", &self.path).finish_non_exhaustive()
    }
}

impl Mount {
    /// Builds the consumer of one connection.
    pub(crate) fn open(&self, request: &UpgradeRequest<'_>) -> Result<Box<dyn PendingSession>> {
        (self.construct)(request)
    }
}

/// A consumer without type parameters, as `#[consumer]` registers it.
#[derive(Debug)]
pub struct MountEntry {
    /// Describes the consumer.
    pub mount: fn() -> Mount,
}

/// A message, as `#[message]` registers it.
#[derive(Debug)]
pub struct MessageEntry {
    /// The payload type.
    pub description: Description,
}

inventory::collect!(MountEntry);
inventory::collect!(MessageEntry);
