//! The application: what the builder collects, how it starts, serves and stops.

mod accept;
mod address;
#[cfg(test)]
mod allocations;
mod app;
mod attend;
mod builder;
mod closing;
mod conduct;
mod connection;
mod cors;
mod entry;
pub mod extract;
mod http;
mod inbound;
mod reading;
mod renewal;
mod routing;
mod run;
mod socket;
mod status;
mod ticket;
mod unfinished;
mod upgrade;

pub use address::ClientIp;
pub use app::App;
pub use builder::AgentCore;
pub use http::State;
pub use run::run_main;
#[cfg(feature = "test-util")]
pub(crate) use {accept::speak_alone, ticket::Ticket};
