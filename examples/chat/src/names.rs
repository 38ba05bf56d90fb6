//! Rules for the names of users and rooms; both are stricter than the framework's.

use std::str::FromStr;

use agentcore::consumer::AsUserId;
use agentcore::{Identity, UserId};

/// The user of a connection: 1 to 64 ASCII letters, digits, `_`, `-` and `.`, but not `.` or `..`.
///
/// It is parsed from the path, so a client with another name is refused before the upgrade.
#[derive(Clone, Debug)]
pub(crate) struct ChatUser(UserId);

impl ChatUser {
    pub(crate) fn id(&self) -> &UserId {
        &self.0
    }
}

impl FromStr for ChatUser {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (user_name(text), UserId::new(text)) {
            (Ok(()), Ok(id)) => Ok(Self(id)),
            _ => Err("must be 1 to 64 ASCII letters, digits, `_`, `-` and `.`, and not `.` or `..`"),
        }
    }
}

impl AsUserId for ChatUser {
    fn as_user_id(&self) -> Option<&UserId> {
        Some(&self.0)
    }
}

/// Checks the characters of a user's id; the messages check its length.
pub(crate) fn user_name(name: &str) -> Result<(), &'static str> {
    if !name.chars().all(is_name_character) {
        return Err("must consist of ASCII letters, digits, `_`, `-` and `.`");
    }
    can_be_in_a_path(name)
}

/// Returns the name in the user's token, if it has one that can be shown on one line.
pub(crate) fn username(identity: &Identity) -> Option<String> {
    let name: String = identity.claim("name")?;
    let can_be_shown = !name.trim().is_empty() && name.len() <= 256 && !name.chars().any(char::is_control);
    can_be_shown.then_some(name)
}

/// Checks the characters of a room's name; the messages check its length.
pub(crate) fn room_name(name: &str) -> Result<(), &'static str> {
    if !name.chars().all(|c| c == ' ' || is_name_character(c)) {
        return Err("must consist of ASCII letters, digits, spaces, `_`, `-` and `.`");
    }
    if name.starts_with(' ') || name.ends_with(' ') {
        return Err("must not begin or end with a space");
    }
    if name.contains("  ") {
        return Err("must not have two spaces in a row, which look like one");
    }
    can_be_in_a_path(name)
}

/// Refuses the steps of a path that every browser resolves, so that no request for them arrives.
fn can_be_in_a_path(name: &str) -> Result<(), &'static str> {
    match name {
        "." | ".." => Err("must not be `.` or `..`"),
        _ => Ok(()),
    }
}

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_id_has_letters_digits_and_three_special_characters() {
        for good in ["a", "alice", "Alice_B-2.c", "...", ".a", &"x".repeat(64)] {
            assert_eq!(good.parse::<ChatUser>().map(|user| user.id().to_string()), Ok(good.to_owned()));
        }
        for bad in ["", " ", "a b", "a/b", "a:b", "älice", "a\n", "a\u{202e}b", ".", "..", &"x".repeat(65)] {
            assert!(bad.parse::<ChatUser>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_room_name_has_single_spaces_inside() {
        for good in ["lobby", "Tea room", "v1.2_x-y", "a b c", "...", ". ."] {
            assert_eq!(room_name(good), Ok(()), "{good:?}");
        }
        for bad in [" lobby", "lobby ", " ", "a  b", ".", "..", "a\tb", "a/b", "a*", "{a}", "Zürich"] {
            assert!(room_name(bad).is_err(), "{bad:?}");
        }
    }
}
