//! The chat as a process, and a client of its protocol.

mod client;
mod folder;
mod server;

pub use client::{ChatClient, Rejection};
pub use folder::TempFolder;
pub use server::{ChatServer, program, set_environment};
