//! The consumer: the handlers of a connection, the values they receive and the values they return.
//!
//! This module owns the traits that `#[consumer]` implements and the type-erased consumer that the server drives. It
//! does not read sockets, and it does not run the middleware.

mod consumer_traits;
mod context;
mod erased;
mod fields;
mod handler;
mod mount;
mod reply;
mod session;
mod upgrade_request;

pub use context::Context;
pub use fields::{AsUserId, FromParam};
pub use handler::{Handler, HandlerRateLimit};
pub use reply::{IntoReply, Reply};

pub(crate) use handler::HandlerFuture;
pub(crate) use mount::{MessageEntry, Mount, MountEntry};
pub(crate) use reply::ReplyTarget;
pub(crate) use session::{PendingSession, Session};
pub(crate) use upgrade_request::UpgradeRequest;

/// The items that only generated code names; `crate::__private` re-exports them.
pub(crate) mod generated {
    pub use super::consumer_traits::{ConsumerHandlers, ConsumerStruct};
    pub use super::fields::{Param, ParseParam};
    pub use super::handler::HandlerFuture;
    pub use super::mount::{MessageEntry, Mount, MountEntry};
    pub use super::reply::ReplyTarget;
    pub use super::upgrade_request::{RequiredState, UpgradeRequest};
}

/// A type that serves connections.
///
/// [`#[consumer(path = "..")]`](macro@crate::consumer) on a struct and [`#[consumer]`](macro@crate::consumer) on its
/// impl block implement it; it cannot be implemented by hand.
pub trait Consumer: generated::ConsumerStruct {}

impl<C: generated::ConsumerStruct> Consumer for C {}
