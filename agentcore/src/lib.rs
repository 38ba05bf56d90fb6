//! Real-time messaging over WebSocket: messages and handlers are declared with attributes, and the compiler checks the
//! contract between them.
//!
//! ```no_run
//! use agentcore::prelude::*;
//!
//! #[message("greet")]
//! struct Greet {
//!     #[validate(length(min = 1, max = 50))]
//!     name: String,
//! }
//!
//! #[message("greeting")]
//! struct Greeting {
//!     text: String,
//! }
//!
//! #[consumer(path = "/ws")]
//! struct Greeter {}
//!
//! #[consumer]
//! impl Greeter {
//!     #[on("greet")]
//!     async fn greet(&mut self, msg: Greet) -> Greeting {
//!         Greeting { text: format!("hello {}", msg.name) }
//!     }
//! }
//!
//! #[agentcore::main]
//! async fn main() -> Result<()> {
//!     AgentCore::from_env()?.consumer::<Greeter>().serve().await
//! }
//! ```
//!
//! # The parts
//!
//! - [`message`](macro@message) makes a struct a message: serde, rules, a JSON Schema.
//! - [`consumer`](macro@consumer) on a struct and on its impl block makes it serve connections; [`on`] marks its handlers.
//! - [`Context`] is what a handler is given: its connection, and everybody it can reach from there.
//! - [`ConnectionManager`] does the same from anywhere else, and answers who is online.
//! - [`middleware`] stands between connections and handlers: it logs, checks, limits, changes, answers or refuses.
//! - [`AgentCore`] collects an application and serves it; [`State`] gives its states to REST handlers.
//! - [`Error`] is what can go wrong, for clients and for the log.
//! - [`Settings`] are read from the environment; [`Env`] reads an application's own.
//! - [`Authenticator`] decides who may connect; [`Identity`] is what it found out.
//! - [`Supervisor`] runs background tasks, and starts one again that has panicked.
//! - [`backend`] joins nodes: [`backend::MemoryBackend`] is for one process, [`backend::RedisBackend`] for many, and its page
//!   has all about them.
//! - [`Publisher`] sends to connections from a program that has none.
//! - `testing`, with feature `test-util`, runs an application inside of its own tests.
//!
//! # The wire protocol
#![doc = include_str!("docs/protocol.md")]
#![doc = ""]
#![doc = include_str!("docs/codecs.md")]
#![doc = ""]
#![doc = include_str!("docs/security.md")]
#![doc = ""]
#![doc = include_str!("docs/settings.md")]
#![doc = ""]
#![doc = include_str!("docs/operations.md")]

pub mod auth;
pub mod backend;
pub mod consumer;
mod env;
pub mod error;
mod id;
mod log_throttle;
mod manager;
pub mod message;
mod metrics;
pub mod middleware;
mod panic;
mod registry;
pub mod schema;
mod server;
mod settings;
mod state;
mod supervise;
mod sync;
#[cfg(feature = "test-util")]
pub mod testing;
mod time;
mod wire;
mod worker;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use agentcore_macros::{consumer, main, message, on};
pub use axum;
pub use tokio;

pub use auth::{Authenticator, Identity};
pub use backend::Publisher;
pub use consumer::{Consumer, Context};
pub use env::Env;
pub use error::{
    CloseCode, CloseReason, Error, ErrorCategory, ErrorContext, ErrorDetail, ErrorResponse, Internal, Result, Severity,
};
pub use id::{ConnectionId, ConnectionIdError, GroupName, NameError, NodeId, UserId};
pub use manager::{
    AnyConsumer, Batches, Confirmed, ConnectionManager, Disconnected, Listing, Sending, SentBy, Stats, To,
};
pub use message::{Codec, Message, Overflow, Payload};
pub use registry::{Connection, ConnectionInfo, Metadata};
pub use schema::Catalogue;
pub use server::{AgentCore, App, ClientIp, State, extract};
pub use settings::{
    AllowedOrigins, AllowedOriginsError, BackendType, RedisPrefix, RedisPrefixError, RedisUrl, RedisUrlError, Settings,
    TrustedProxies, TrustedProxiesError,
};
pub use supervise::{SupervisedTask, Supervisor, TaskState, TaskStatus};
pub use time::{Timestamp, TimestampError};

/// What most programs need.
pub mod prelude {
    pub use crate::{
        AgentCore, Authenticator, CloseCode, CloseReason, ConnectionManager, Context, Error, Identity, Internal,
        Result, Settings, State, Timestamp, UserId, consumer, message, on,
    };
}

/// The README, whose example is compiled by the doctests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
