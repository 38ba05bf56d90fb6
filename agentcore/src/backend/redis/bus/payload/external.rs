//! JSON envelopes that programs publish which are not nodes.
//!
//! On the channel of a group and on the channel of everyone: `{"type": .., "data": ..}`. On the channel of users the
//! key `"user": "alice"` names the recipient. Nodes encode the envelope again, so clients get no other key of it.

use bytes::Bytes;
use serde::Deserialize;

use crate::backend::redis::keys::Channel;
use crate::error::Error;
use crate::id::UserId;
use crate::message::{Except, OutboundMessage, Recipient};

/// Maximum length of an external envelope in bytes.
pub(crate) const MAX_EXTERNAL: usize = 1 << 20;

#[derive(Deserialize)]
struct ExternalRecipient {
    #[serde(default)]
    user: Option<UserId>,
}

/// Reads an external envelope that arrived on a channel. The error is a text for the log.
pub(super) fn read(channel: &Channel, bytes: &Bytes) -> Result<OutboundMessage, String> {
    if bytes.len() > MAX_EXTERNAL {
        return Err(format!("it has {} bytes, at most {MAX_EXTERNAL} are allowed", bytes.len()));
    }
    if bytes.starts_with("\u{feff}".as_bytes()) {
        return Err("it begins with a byte order mark".to_owned());
    }
    let ExternalRecipient { user } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let to = match (channel, user) {
        (Channel::Group(group), None) => Recipient::Group(group.clone()),
        (Channel::Everyone, None) => Recipient::Everyone,
        (Channel::Users, Some(user)) => Recipient::User(user),
        (Channel::Users, None) => return Err("`user` is missing: it names the recipient".to_owned()),
        (Channel::Group(_) | Channel::Everyone, Some(_)) => {
            return Err("`user` is not allowed here: publish messages to a user on the channel of users".to_owned());
        }
        (Channel::Nodes | Channel::Node(_), _) => return Err("only nodes publish on this channel".to_owned()),
    };
    OutboundMessage::from_external(to, Except::default(), bytes, MAX_EXTERNAL).map_err(|error| describe(&error))
}

/// Returns the rules that the message breaks, or the text of the error if it names none.
fn describe(error: &Error) -> String {
    let rules: Vec<_> = error.details().iter().map(|detail| format!("`{}` {}", detail.field, detail.message)).collect();
    if rules.is_empty() { error.to_string() } else { rules.join("; ") }
}
