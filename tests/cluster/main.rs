//! `examples/cluster`: one command for several nodes, and the file for those who use containers.
#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test stops where it fails")]

mod command;
mod compose;
