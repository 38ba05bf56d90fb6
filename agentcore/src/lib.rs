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
//! The names that most programs use are at the root of this crate and in [`prelude`]; each module has the rest of its
//! subject.
//!
//! - [`message`](mod@message): [`#[message]`](macro@message) makes a struct a message, with serde, validation rules and
//!   a JSON Schema.
//! - [`consumer`](mod@consumer): [`#[consumer]`](macro@consumer) makes a struct serve connections, [`on`] marks its
//!   handlers, and each handler gets a [`Context`].
//! - [`manager`]: the [`ConnectionManager`] sends, joins, counts and disconnects from anywhere in a program.
//! - [`middleware`]: a chain around the handlers that logs, checks, limits, changes, answers or refuses messages.
//! - [`AgentCore`] builds an application and serves it; [`extract`] and [`State`] are for its REST handlers.
//! - [`auth`]: an [`Authenticator`] decides before the upgrade who may connect and returns an [`Identity`].
//! - [`error`]: one [`Error`] for clients and for the log, and the [`CloseCode`] of a connection.
//! - [`id`]: names of users, groups, nodes and connections. [`time`]: the [`Timestamp`] on the wire.
//! - [`settings`]: the [`Settings`] of a node, read from the environment. [`Env`] reads those of an application.
//! - [`schema`]: the catalogue of all messages as JSON Schema.
//! - [`supervise`]: a [`Supervisor`] runs background tasks and restarts them after a panic.
//! - [`backend`]: joins nodes. [`backend::MemoryBackend`] is for one process, [`backend::RedisBackend`] for several,
//!   and a [`Publisher`] sends to connections from a program that serves none.
//! - `testing`, with feature `test-util`: runs an application inside its own tests.
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
mod header_list;
pub mod id;
mod log_output;
mod log_throttle;
pub mod manager;
pub mod message;
#[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "only the feature `metrics` exports what is counted"))]
mod metrics;
pub mod middleware;
mod panic;
mod registry;
pub mod schema;
mod server;
pub mod settings;
mod state;
pub mod supervise;
mod sync;
#[cfg(feature = "test-util")]
pub mod testing;
pub mod time;
mod wire;
mod worker;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

#[doc = include_str!("docs/attributes/consumer.md")]
pub use agentcore_macros::consumer;
#[doc = include_str!("docs/attributes/main.md")]
pub use agentcore_macros::main;
#[doc = include_str!("docs/attributes/message.md")]
pub use agentcore_macros::message;
#[doc = include_str!("docs/attributes/on.md")]
pub use agentcore_macros::on;
pub use axum;
pub use tokio;

pub use auth::{Authenticator, Identity};
#[cfg(feature = "redis")]
pub use backend::Publisher;
pub use consumer::Context;
pub use env::Env;
pub use error::{CloseCode, CloseReason, Error, Internal, Result};
pub use id::{ConnectionId, GroupName, UserId};
pub use manager::ConnectionManager;
pub use message::{Codec, Message};
pub use server::{AgentCore, App, State, extract};
pub use settings::Settings;
pub use supervise::Supervisor;
pub use time::Timestamp;

/// The names that most programs need.
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
