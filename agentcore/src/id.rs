//! Identifiers of users, groups, nodes and connections.
//!
//! A name is validated once, when it is created. A clone of it is cheap: clones share their text.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The error of an invalid user id, group name or node id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name has no characters.
    #[error("a {kind} must not be empty")]
    Empty {
        /// The kind of name, such as "group name".
        kind: &'static str,
    },
    /// The name is too long.
    #[error("a {kind} must have at most {max} bytes, but this one has {len}")]
    TooLong {
        /// The kind of name, such as "group name".
        kind: &'static str,
        /// The longest length, in bytes.
        max: usize,
        /// The length of the name, in bytes.
        len: usize,
    },
    /// The name contains a control character.
    #[error("a {kind} must not contain control characters, but this one has U+{code:04X} at byte {at}")]
    ControlCharacter {
        /// The kind of name, such as "group name".
        kind: &'static str,
        /// The first control character.
        code: u32,
        /// Its offset in bytes.
        at: usize,
    },
}

fn check(kind: &'static str, max: usize, name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty { kind });
    }
    if name.len() > max {
        return Err(NameError::TooLong { kind, max, len: name.len() });
    }
    match name.char_indices().find(|(_, c)| c.is_control()) {
        Some((at, c)) => Err(NameError::ControlCharacter { kind, code: c.into(), at }),
        None => Ok(()),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $max:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The longest name, in bytes of UTF-8.
            pub const MAX_BYTES: usize = $max;

            /// Validates `name`.
            ///
            /// # Errors
            /// [`NameError`] if the name is empty, too long, or contains a control character.
            pub fn new(name: impl AsRef<str>) -> Result<Self, NameError> {
                let name = name.as_ref();
                check($kind, $max, name)?;
                Ok(Self(name.into()))
            }

            /// Returns the name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(name: &str) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = NameError;
            fn try_from(name: &str) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(name: String) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl TryFrom<&String> for $name {
            type Error = NameError;
            fn try_from(name: &String) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl From<&Self> for $name {
            fn from(name: &Self) -> Self {
                name.clone()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = Cow::<'_, str>::deserialize(deserializer)?;
                Self::new(name).map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "minLength": 1, "maxLength": $max })
            }
        }
    };
}

name! {
    /// The user that a connection belongs to: 1 to 64 bytes of UTF-8 without control characters.
    ///
    /// A user may have several connections, on several nodes.
    UserId, "user id", 64
}

name! {
    /// The name of a group, whose members receive the same messages: 1 to 128 bytes of UTF-8 without control
    /// characters.
    GroupName, "group name", 128
}

name! {
    /// The name of a node, a process that serves connections: 1 to 64 bytes of UTF-8 without control characters.
    NodeId, "node id", 64
}

impl NodeId {
    /// Generates a unique name.
    pub(crate) fn generate() -> Self {
        Self(format!("node-{}", uuid::Uuid::new_v4().simple()).into())
    }
}

/// The id of a connection, unique across nodes and restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId {
    /// A random number for each start of a node, so an id from before a restart never matches a connection.
    pub(crate) incarnation: u64,
    /// The number of the connection within the incarnation.
    pub(crate) serial: u64,
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:x}", self.incarnation, self.serial)
    }
}

/// The error of a text that is not a connection id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a connection id must be two hexadecimal numbers with a dash between them")]
pub struct ConnectionIdError;

impl FromStr for ConnectionId {
    type Err = ConnectionIdError;
    fn from_str(text: &str) -> Result<Self, ConnectionIdError> {
        let (incarnation, serial) = text.split_once('-').ok_or(ConnectionIdError)?;
        // `from_str_radix` would accept a sign.
        let number = |part: &str| match part.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            true => u64::from_str_radix(part, 16).map_err(|_| ConnectionIdError),
            false => Err(ConnectionIdError),
        };
        Ok(Self { incarnation: number(incarnation)?, serial: number(serial)? })
    }
}

impl Serialize for ConnectionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ConnectionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'_, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for ConnectionId {
    fn schema_name() -> Cow<'static, str> {
        "ConnectionId".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9a-f]{1,16}-[0-9a-f]{1,16}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_name_is_kept_unchanged_or_rejected(text in ".{0,200}") {
            let fits = !text.is_empty() && text.len() <= 128 && !text.chars().any(char::is_control);
            match GroupName::new(&text) {
                Ok(name) => { prop_assert!(fits); prop_assert_eq!(name.as_str(), text.as_str()); }
                Err(_) => prop_assert!(!fits),
            }
        }

        #[test]
        fn a_connection_id_parses_from_its_text(incarnation: u64, serial: u64) {
            let id = ConnectionId { incarnation, serial };
            prop_assert_eq!(id.to_string().parse::<ConnectionId>(), Ok(id));
        }
    }
}
