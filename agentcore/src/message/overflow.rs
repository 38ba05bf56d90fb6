//! The policy for messages to a connection that does not read fast enough.

use std::sync::Arc;

use serde::Serialize;

/// The policy of a message for a connection whose outbox is full (`WS_MAX_OUTBOX_BYTES`).
///
/// Replies, errors, pongs and close frames are never dropped. Droppable messages give way to those that are not. Each
/// drop is counted, and the connection gets one `agentcore.resync` when it has room again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Overflow {
    /// Closes the connection with 1013 and a retry hint, so the client knows that it lost messages.
    #[default]
    Disconnect,
    /// Drops the new message.
    DropNewest,
    /// Drops the oldest droppable messages in the outbox: whole frames of which no byte has been written.
    DropOldest,
    /// Keeps only the newest message of this key once the outbox is more than a sixteenth full. A replaced message is
    /// not lost, because the newer one supersedes it. A full outbox drops it as `DropOldest` does.
    Latest(OverflowKey),
}

/// The key of messages that replace each other: same type, same recipient, and same values in the named fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverflowKey(Arc<str>);

impl OverflowKey {
    /// Creates the key from the message type and the values of the fields that `latest(..)` names, encoded as JSON.
    #[must_use]
    pub fn new(message_type: &str, values: &impl Serialize) -> Self {
        // A value that cannot be encoded fails again when the message is encoded, where the error is reported.
        let values = serde_json::to_string(values).unwrap_or_default();
        Self(format!("{message_type} {values}").into())
    }

    /// Restores a key that another node sent.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self(text.into())
    }

    /// Returns the key as text, as it is sent to other nodes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
