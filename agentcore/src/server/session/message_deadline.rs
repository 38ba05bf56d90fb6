//! The deadline of a message that has dispatched and is not complete: who sends a byte now and then holds a place, a buffer and,
//! for the heartbeat, a sign of life.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Sleep;

use crate::error::{CloseCode, Error, ErrorCategory};
use crate::registry::Connection;

/// A timer while a message is unfinished, and nothing else: an idle connection owns none.
///
/// Only the time counts in which the message is waited for. What is read ahead while a handler runs ends at 64 KiB, and
/// from then on the delay is ours.
#[derive(Debug, Default)]
pub(super) struct MessageDeadline(Option<Pin<Box<Sleep>>>);

impl MessageDeadline {
    /// The message is complete. What follows it is another one, with a deadline of its own.
    pub(super) fn complete(&mut self) {
        self.0 = None;
    }

    /// Ready when the message has been `unfinished` for `limit`. To be polled before each read: bytes that keep coming
    /// put nothing off.
    pub(super) fn poll(&mut self, unfinished: bool, limit: Duration, cx: &mut Context<'_>) -> Poll<()> {
        if !unfinished {
            self.0 = None;
            return Poll::Pending;
        }
        self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit))).as_mut().poll(cx)
    }
}

/// The end of a connection whose message took too long.
pub(super) fn overdue(connection: &Connection, limit: Duration) -> Error {
    let text = format!("a message was not complete {} s after it began", limit.as_secs_f64());
    let error = Error::new(ErrorCategory::Connection, "MESSAGE_TIMEOUT", text);
    let error = error.with_retryable(false).with_close(CloseCode::Policy);
    tracing::info!(connection = %connection.id(), code = error.code(), error_id = %error.id(), "closed: {}", error.message());
    connection.meter().error(&error);
    error
}
