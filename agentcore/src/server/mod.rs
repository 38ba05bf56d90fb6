//! The application: the builder, HTTP, and the sessions of upgraded connections.

mod app;
mod authentication;
mod builder;
mod catalogue;
mod checks;
mod http;
mod run;
mod session;

pub use app::App;
pub use builder::AgentCore;
pub use http::app_state::State;
pub use http::extract;
#[cfg(feature = "test-util")]
pub(crate) use http::{HttpConnections, TestCredentials};
pub use run::run_main;
