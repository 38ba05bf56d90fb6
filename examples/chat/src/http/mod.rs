//! HTTP routes beside the WebSocket: the page, REST endpoints, publishing, and demo tokens.

pub(crate) mod demo_tokens;
mod headers;
mod history_permits;
pub(crate) mod page;
pub(crate) mod publish;
pub(crate) mod rest;
