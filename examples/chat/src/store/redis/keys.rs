//! The names of the keys. All begin with `<prefix>chat:`; names of rooms and users are percent-encoded in them, so no two
//! meet in one key, and none gets out of its place.
//!
//! What changes together has one hash tag, the part in braces: a cluster keeps it on one server.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

/// Makes keys.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: format!("{prefix}chat:") }
    }

    /// A text: the form of these keys.
    pub(super) fn version(&self) -> String {
        format!("{}version", self.prefix)
    }

    /// A hash: a room, its name aside.
    pub(super) fn room(&self, room: &str) -> String {
        format!("{}{{room:{}}}", self.prefix, encoded(room))
    }

    /// A sorted set: the messages of a room, each its id and then the rest.
    pub(super) fn messages(&self, room: &str) -> String {
        format!("{}:messages", self.room(room))
    }

    /// A set: the users whom a room admits.
    pub(super) fn admitted(&self, room: &str) -> String {
        format!("{}:admitted", self.room(room))
    }

    /// A sorted set: the names of the public rooms, and perhaps of some that did not come to be.
    pub(super) fn public_rooms(&self) -> String {
        format!("{}public", self.prefix)
    }

    /// A sorted set: the names of the rooms that admit a user, and perhaps of some that do not.
    pub(super) fn rooms_of(&self, user_id: &str) -> String {
        format!("{}{{user:{}}}:rooms", self.prefix, encoded(user_id))
    }

    /// A hash: the name that each user came with last.
    pub(super) fn usernames(&self) -> String {
        format!("{}usernames", self.prefix)
    }
}

/// All but letters, digits, `_`, `-` and `.`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'-').remove(b'.');

fn encoded(name: &str) -> PercentEncode<'_> {
    utf8_percent_encode(name, RESERVED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_a_room_have_one_hash_tag_and_no_name_gets_out_of_it() {
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
