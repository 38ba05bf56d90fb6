//! Names of keys. All begin with `<prefix>chat:`. Names of rooms and users are percent-encoded, so different names have
//! different keys and cannot contain separators.
//!
//! Keys that change together have the same hash tag, the part in braces.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use uuid::Uuid;

/// Builds keys.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: format!("{prefix}chat:") }
    }

    /// Keys that no other store uses, for a trial of all commands.
    pub(super) fn for_trial(&self) -> Self {
        Self { prefix: format!("{}trial:{}:", self.prefix, Uuid::new_v4()) }
    }

    /// A string: the version of the keys and their values.
    pub(super) fn version(&self) -> String {
        format!("{}version", self.prefix)
    }

    /// A hash: the fields of a room, except its name.
    pub(super) fn room(&self, room: &str) -> String {
        format!("{}{{room:{}}}", self.prefix, encoded(room))
    }

    /// A sorted set: the messages of a room, each as its id, a space, and its other fields as JSON.
    pub(super) fn messages(&self, room: &str) -> String {
        format!("{}:messages", self.room(room))
    }

    /// A set: the ids of the users whom a room admits.
    pub(super) fn admitted(&self, room: &str) -> String {
        format!("{}:admitted", self.room(room))
    }

    /// A sorted set: the names of the public rooms. It may also have names of rooms whose creation failed.
    pub(super) fn public_rooms(&self) -> String {
        format!("{}public", self.prefix)
    }

    /// A sorted set: the names of the rooms that admit a user. It may also have names of rooms that do not.
    pub(super) fn rooms_of(&self, user_id: &str) -> String {
        format!("{}{{user:{}}}:rooms", self.prefix, encoded(user_id))
    }

    /// A hash: the current name of each user, by id.
    pub(super) fn usernames(&self) -> String {
        format!("{}usernames", self.prefix)
    }
}

/// All characters except letters, digits, `_`, `-` and `.`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'-').remove(b'.');

fn encoded(name: &str) -> PercentEncode<'_> {
    utf8_percent_encode(name, RESERVED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_a_room_share_a_hash_tag_that_no_name_can_break() {
        let keys = Keys::new("ws:");
        assert_eq!(keys.messages("tea room"), "ws:chat:{room:tea%20room}:messages");
        for name in ["", "}", "{", "a}:admitted", "%7D", "ä", "a:b", "*", "\u{0}"] {
            for key in [keys.room(name), keys.messages(name), keys.admitted(name), keys.rooms_of(name)] {
                assert!(key.starts_with("ws:chat:{"), "{key}");
                assert_eq!((key.matches('{').count(), key.matches('}').count()), (1, 1), "{key}");
            }
        }
        assert_eq!(keys.room("}"), "ws:chat:{room:%7D}");
        assert_eq!(keys.room("%7D"), "ws:chat:{room:%257D}");
    }
}
