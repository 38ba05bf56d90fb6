//! The chat as a process of its own, and a client that knows nothing but its protocol.

mod folder;
mod server;
mod talker;

pub use folder::Folder;
pub use server::{ChatServer, program, surroundings};
pub use talker::{Refusal, Talker};
