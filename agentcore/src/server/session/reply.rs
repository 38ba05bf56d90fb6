//! Sending the framework's own frames: replies, pongs and errors.
//!
//! These functions run on the connection's own worker, where its shard is changed directly: no queue can be full.

use axum::body::Bytes;

use crate::error::Error;
use crate::message::Overflow;
use crate::registry::{Command, Connection};

/// Puts a frame into the connection's outbox.
pub(super) fn send(connection: &Connection, frame: Bytes) {
    let _ = connection.shard().try_submit(Command::SendFrame(connection.slot(), frame, Overflow::Disconnect));
}

/// Answers the application-level `ping`.
pub(super) fn send_pong(connection: &Connection, reference: Option<u64>) {
    if let Ok(frame) = connection.codec().encode::<()>("pong", reference, None) {
        send(connection, frame.into_bytes());
    }
}

/// Counts an error in the metrics and sends it to the client.
pub(super) fn send_error(connection: &Connection, error: &Error, reference: Option<u64>, message_type: Option<&str>) {
    connection.meter().error(error);
    if let Ok(frame) = connection.codec().error(reference, error, message_type) {
        send(connection, frame.into_bytes());
    }
}
