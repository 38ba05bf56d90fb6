//! The chat as a process of its own, and a client that knows nothing but its protocol.

mod client;
mod folder;
mod server;

pub use client::{Refusal, Talker};
pub use folder::Folder;
pub use server::{ChatServer, program, surroundings};
