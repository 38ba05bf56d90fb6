//! What programs that are no nodes publish: a JSON envelope.
//!
//! On a group's channel and that of everyone: `{"type": .., "data": ..}`; on that of users with one key more,
//! `"user": "alice"`. It is written anew for the clients, so nothing else of it reaches them.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::names::Channel;
use crate::id::UserId;
use crate::message::{Except, Overflow, Parcel, Recipient, check_outside};

#[derive(Deserialize)]
struct Read<'a> {
    #[serde(borrow, rename = "type")]
    message_type: Cow<'a, str>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    user: Option<UserId>,
}

#[derive(Serialize)]
struct Write<'a> {
    #[serde(rename = "type")]
    message_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
}

pub(super) fn read(channel: &Channel, bytes: &Bytes) -> Result<Parcel, String> {
    let Read { message_type, data, user } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    check_outside(&message_type, bytes.len()).map_err(|error| error.to_string())?;
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
    let envelope =
        serde_json::to_vec(&Write { message_type: &message_type, data }).map_err(|error| error.to_string())?;
    Ok(Parcel::from_envelope(to, Except::default(), Overflow::Disconnect, &envelope))
}
