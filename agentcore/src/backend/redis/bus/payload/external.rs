//! What programs that are no nodes publish: a JSON envelope.
//!
//! On a group's channel and that of everyone: `{"type": .., "data": ..}`; on that of users with one key more,
//! `"user": "alice"`. It is written anew for the clients, so nothing else of it reaches them.

use bytes::Bytes;
use serde::Deserialize;

use crate::backend::redis::keys::Channel;
use crate::error::Error;
use crate::id::UserId;
use crate::message::{Except, OutboundMessage, Recipient};

/// The longest envelope that is taken, in bytes.
pub(crate) const MAX_EXTERNAL: usize = 1 << 20;

#[derive(Deserialize)]
struct ExternalRecipient {
    #[serde(default)]
    user: Option<UserId>,
}

pub(super) fn read(channel: &Channel, bytes: &Bytes) -> Result<OutboundMessage, String> {
    if bytes.len() > MAX_EXTERNAL {
        return Err(format!("it has {} bytes, {MAX_EXTERNAL} are allowed", bytes.len()));
    }
    let ExternalRecipient { user } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let to = match (channel, user) {
        (Channel::Group(group), None) => Recipient::Group(group.clone()),
        (Channel::Everyone, None) => Recipient::Everyone,
        (Channel::Users, Some(user)) => Recipient::User(user),
        (Channel::Users, None) => return Err("`user` is missing: whom it is for".to_owned()),
        (Channel::Group(_) | Channel::Everyone, Some(_)) => {
            return Err("`user` has no meaning here: messages to a user go to the channel of users".to_owned());
        }
        (Channel::Nodes | Channel::Node(_), _) => return Err("only nodes speak on this channel".to_owned()),
    };
    OutboundMessage::from_external(to, Except::default(), bytes, MAX_EXTERNAL).map_err(|error| why(&error))
}

/// The message, and the broken rules.
fn why(error: &Error) -> String {
    let rules = error.details().iter().map(|detail| format!("; `{}` {}", detail.field, detail.message));
    std::iter::once(error.to_string()).chain(rules).collect()
}
