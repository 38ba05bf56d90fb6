//! Tests of the driver contract, run over a server and over the stub.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]
#![expect(clippy::print_stderr, reason = "a test that cannot run says so")]

mod admission;
mod connections;
mod epochs;
mod fixture;
mod full_memory;
mod leases;
mod names;
mod presence;
mod rates;
mod removal;
mod server;
