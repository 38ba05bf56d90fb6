//! The application: what the builder collects, how it starts, serves and stops.

mod app;
mod authentication;
mod builder;
mod http;
mod run;
mod session;

pub use app::App;
pub use builder::AgentCore;
pub use http::extract;
pub use http::state::State;
#[cfg(feature = "test-util")]
pub(crate) use http::{accept::speak_alone, test_credentials::TestCredentials};
pub use run::run_main;
