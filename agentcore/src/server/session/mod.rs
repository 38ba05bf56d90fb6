//! One WebSocket connection from its arrival on a worker to its end.
//!
//! `state` opens it, and `welcome` writes its first message. `run` drives it: `reader` turns bytes into messages,
//! `request` dispatches one message, `handler` runs the application's code while `read_ahead` keeps reading,
//! `in_flight` answers the request, and `close` ends the connection.

mod abuse;
#[cfg(test)]
mod allocations;
mod buffer;
mod close;
mod end;
mod handler;
mod in_flight;
mod message_deadline;
mod read_ahead;
mod reader;
mod renewal;
mod reply;
mod request;
mod run;
mod socket;
mod state;
mod welcome;

pub(super) use run::serve;
pub(super) use socket::UpgradedSocket;
pub(super) use state::Arrival;
