//! What happens to a message for a connection that does not read fast enough.

use std::sync::Arc;

use serde::Serialize;

/// The policy of a message, for connections whose outbox is full (`WS_MAX_OUTBOX_BYTES`).
///
/// Replies, errors, pongs and close frames are never dropped. A message that may be dropped gives way to one that may not.
/// Each drop is counted, and the connection gets one `agentcore.resync` when it has room again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The connection is closed with 1013 and a hint when to come back: nothing is lost without the client knowing.
    #[default]
    Disconnect,
    /// The new message is dropped.
    DropNewest,
    /// The oldest waiting messages that may be dropped make room: whole frames of which no byte was written.
    DropOldest,
    /// Where more than a sixteenth of the bound waits already, only the newest message of this key waits; what it replaces
    /// was not missed, as the newer one says more. Over the bound it is dropped as by `DropOldest`.
    Latest(OverflowKey),
}

/// What a newer message replaces: one of the same type and recipient with the same values in the named fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverflowKey(Arc<str>);

impl OverflowKey {
    /// The key of a message: its type and the values of the fields that `latest(..)` names, encoded as JSON.
    #[must_use]
    pub fn new(message_type: &str, values: &impl Serialize) -> Self {
        // A value that cannot be encoded fails when the message itself is.
        let values = serde_json::to_string(values).unwrap_or_default();
        Self(format!("{message_type} {values}").into())
    }

    /// A key that came from another node.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self(text.into())
    }

    /// The key as text, as other nodes get it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
