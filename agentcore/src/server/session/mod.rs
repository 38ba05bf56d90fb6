//! One WebSocket connection from its arrival on a worker to its end.

mod abuse;
#[cfg(test)]
mod allocations;
mod close;
mod handler;
mod message_deadline;
mod read_ahead;
mod renewal;
mod request;
mod run;
mod socket;

pub(super) use run::{Arrival, serve};
pub(super) use socket::Socket;
