//! Black-box tests of the chat: its program, its WebSocket protocol, its HTTP routes and its page's modules.
#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test stops where it fails")]

use serde_json::Value;

mod chat_messages;
mod lists;
mod page_modules;
mod persistence;
mod presence;
mod private_messages;
mod private_rooms;
mod publish;
mod rate_limit;
mod redis_store;
mod replies;
mod rest;
mod rooms;
mod start;
mod tokens;
mod typing;
mod validation;

/// Returns whether a text is a UTC timestamp with milliseconds, such as `2026-01-31T12:00:00.000Z`.
fn is_timestamp(value: &Value) -> bool {
    let form: String = value.as_str().unwrap().chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    form == "0000-00-00T00:00:00.000Z"
}

fn texts(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["text"].as_str().unwrap()).collect()
}
