//! The deadline for an incomplete message. Without it, a client that sends one byte now and then would keep its
//! admission and a buffer, and would pass the heartbeat.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Sleep;

use super::end::policy_violation;
use crate::error::Error;
use crate::registry::Connection;

/// A timer that exists only while a message is incomplete, so an idle connection owns none.
///
/// Only the time in which the read loop waits for the rest of the message counts. While a handler runs, reading stops
/// after 64 KiB, and the delay is the server's.
#[derive(Debug, Default)]
pub(super) struct MessageDeadline(Option<Pin<Box<Sleep>>>);

impl MessageDeadline {
    /// Ends the timer of a complete message. The next message gets its own.
    pub(super) fn reset(&mut self) {
        self.0 = None;
    }

    /// Returns ready once a message has been `incomplete` for `limit`. Poll it before each read, so that a steady
    /// trickle of bytes cannot postpone it.
    pub(super) fn poll(&mut self, incomplete: bool, limit: Duration, cx: &mut Context<'_>) -> Poll<()> {
        if !incomplete {
            self.0 = None;
            return Poll::Pending;
        }
        self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit))).as_mut().poll(cx)
    }
}

/// Logs that a connection is closed because of an incomplete message, and returns the error that closes it.
pub(super) fn message_timeout(connection: &Connection, limit: Duration) -> Error {
    let text = format!("a message was not complete {} s after it began", limit.as_secs_f64());
    let error = policy_violation(connection, "MESSAGE_TIMEOUT", text);
    if let Some(suppressed) = connection.meter().permit_closed_line(error.code()) {
        let (id, code, error_id) = (connection.id(), error.code(), error.id());
        tracing::info!(connection = %id, code, %error_id, suppressed, "closed: {}", error.message());
    }
    error
}
