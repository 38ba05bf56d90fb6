//! Each promise of the seam, kept by the server's driver and by the stub alike.

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
