//! Tests of the whole application, in process; see `agentcore::testing`.
#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected must fail")]

mod limits;
mod private;
mod rooms;
mod setup;
mod users;
