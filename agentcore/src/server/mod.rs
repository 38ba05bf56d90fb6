//! The application: what the builder collects, how it starts, serves and stops.

mod accept;
mod builder;
mod capped;
mod closing;
mod conduct;
mod connection;
mod entry;
mod http;
mod inbound;
mod run;
mod socket;
mod status;
mod upgrade;

pub use builder::{AgentCore, App};
pub use http::State;
pub use run::run_main;
