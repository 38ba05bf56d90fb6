//! AgentCore.

pub mod backend;
pub mod consumer;
pub mod error;
mod id;
mod manager;
pub mod message;
mod registry;
pub mod schema;
mod server;
mod settings;
mod state;
mod sync;
mod time;
mod wire;
mod worker;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use agentcore_macros::{consumer, main, message, on};
pub use axum;
pub use tokio;

pub use consumer::{Consumer, Context};
pub use error::{CloseCode, CloseReason, Error, ErrorCategory, ErrorResponse, Internal, Result, Severity};
pub use id::{ConnectionId, ConnectionIdError, GroupName, NameError, NodeId, UserId};
pub use manager::{AnyConsumer, ConnectionManager, Listing, Sending, SentBy, Stats, To};
pub use message::{Message, Payload};
pub use registry::{Activity, Connection};
pub use schema::Catalogue;
pub use server::{AgentCore, App, State};
pub use settings::{BackendType, Settings};
pub use time::{Timestamp, TimestampError};

/// What most programs need.
pub mod prelude {
    pub use crate::{
        AgentCore, CloseReason, ConnectionManager, Context, Error, Internal, Result, Settings, State, Timestamp,
        UserId, consumer, message, on,
    };
}
