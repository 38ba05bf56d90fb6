//! HTTP routes beside the WebSocket.

pub(crate) mod demo_tokens;
mod headers;
pub(crate) mod page;
pub(crate) mod publish;
pub(crate) mod rest;
