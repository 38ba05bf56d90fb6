//! A consumer type as the server mounts it, and the tables that the attributes fill at link time.

use std::any::TypeId;
use std::fmt;

use super::session::{PendingConsumer, PendingSession};
use super::{Consumer, ConsumerHandlers, ConsumerStruct, Handler, RequiredState, UpgradeRequest};
use crate::error::Result;
use crate::message::Description;

/// A consumer type without its type.
#[derive(Clone, Copy)]
pub struct Mount {
    pub(crate) type_id: TypeId,
    pub(crate) type_name: &'static str,
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) handlers: &'static [Handler],
    /// Its place among the mounted ones, once all are known.
    pub(crate) number: usize,
    pub(crate) required: fn() -> Vec<RequiredState>,
    pub(crate) sends: fn() -> Vec<Description>,
    open: fn(&UpgradeRequest<'_>) -> Result<Box<dyn PendingSession>>,
}

impl fmt::Debug for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mount").field("consumer", &self.type_name).field("path", &self.path).finish_non_exhaustive()
    }
}

impl Mount {
    /// The mount of `C`.
    #[must_use]
    pub fn of<C: Consumer>() -> Self {
        Self {
            type_id: TypeId::of::<C>(),
            type_name: std::any::type_name::<C>(),
            name: <C as ConsumerStruct>::NAME,
            path: <C as ConsumerStruct>::PATH,
            handlers: <C as ConsumerHandlers>::HANDLERS,
            number: 0,
            required: C::required,
            sends: C::sends,
            open: |request| Ok(Box::new(PendingConsumer(C::construct(request)?))),
        }
    }

    /// Builds the consumer of one connection.
    pub(crate) fn open(&self, request: &UpgradeRequest<'_>) -> Result<Box<dyn PendingSession>> {
        (self.open)(request)
    }
}

/// What `#[consumer]` registers.
#[derive(Debug)]
pub struct MountEntry {
    /// Makes the mount.
    pub mount: fn() -> Mount,
    /// Where the consumer is defined.
    pub module_path: &'static str,
}

/// What `#[message]` registers.
#[derive(Debug)]
pub struct MessageEntry {
    /// The message.
    pub description: Description,
    /// Where the message is defined.
    pub module_path: &'static str,
}

inventory::collect!(MountEntry);
inventory::collect!(MessageEntry);
