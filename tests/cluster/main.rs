//! Tests of `examples/cluster`: the command that runs several nodes, and the compose file.
#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test stops where it fails")]

mod command;
mod compose;
