//! Shared parts of the black-box suites: servers in the process, clients that use no code of this project, and a second
//! backend.
#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test stops where it fails")]

pub mod bare;
pub mod browser;
pub mod chat;
pub mod client;
pub mod http;
pub mod hub;
pub mod inside;
pub mod log;
pub mod process;
pub mod program;
pub mod proxy;
pub mod raw;
pub mod redis;
pub mod room;
pub mod server;
pub mod transport;
pub mod wait;
