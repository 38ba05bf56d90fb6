//! Names of keys and channels.
//!
//! Names are unique and stay within the prefix. Names that users choose are percent-encoded except for the unreserved
//! characters of RFC 3986 (2.3), so they contain no colon, brace or glob character. A channel name is the prefix, a
//! kind, a colon and one such name. Applications with different prefixes share nothing, even if one prefix begins with
//! the other.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::id::GroupName;
use crate::message::Recipient;

/// The keys and channels of one application in Redis. The prefix is `REDIS_CHANNEL_PREFIX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keyspace {
    prefix: String,
}

/// A channel, by its purpose.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Channel {
    /// Messages to a group.
    Group(GroupName),
    /// Messages to users; every node subscribes to it.
    Users,
    /// Messages to everyone.
    Everyone,
    /// Control messages to all nodes.
    Nodes,
    /// Control messages to one incarnation of a node, and messages to its connections.
    Node(u64),
}

impl Channel {
    /// Returns the channel for messages to a recipient.
    pub(crate) fn of(to: &Recipient) -> Self {
        match to {
            Recipient::Group(group) => Self::Group(group.clone()),
            Recipient::User(_) => Self::Users,
            Recipient::Connection(id) => Self::Node(id.incarnation),
            Recipient::Everyone => Self::Everyone,
        }
    }
}

impl Keyspace {
    /// Returns the keyspace with a prefix that the settings have validated.
    pub(crate) fn new(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into() }
    }

    /// Returns the prefix of all registry keys. They are changed together, so they share a hash tag and thereby a
    /// cluster slot.
    pub(crate) fn registry_prefix(&self) -> String {
        format!("{0}{{{0}}}", self.prefix)
    }

    /// Returns the prefix of the rate limit keys of a subject. They share a hash tag.
    pub(crate) fn rate_prefix(&self, subject: &str) -> String {
        format!("{}rate:{{{}}}", self.prefix, escaped(subject))
    }

    /// Returns the name of a channel.
    pub(crate) fn channel(&self, channel: &Channel) -> String {
        let prefix = &self.prefix;
        match channel {
            Channel::Group(group) => format!("{prefix}group:{}", escaped(group.as_str())),
            Channel::Users => format!("{prefix}users:"),
            Channel::Everyone => format!("{prefix}everyone:"),
            Channel::Nodes => format!("{prefix}nodes:"),
            Channel::Node(incarnation) => format!("{prefix}node:{incarnation:016x}"),
        }
    }

    /// Returns the channel with a name, or `None` for a name that [`channel`](Self::channel) does not write.
    pub(crate) fn parse_channel(&self, name: &str) -> Option<Channel> {
        let (kind, name) = name.strip_prefix(&self.prefix)?.split_once(':')?;
        match (kind, name) {
            ("group", name) => GroupName::new(unescaped(name)?).ok().map(Channel::Group),
            ("node", name) => {
                let incarnation = u64::from_str_radix(name, 16).ok()?;
                (format!("{incarnation:016x}") == name).then_some(Channel::Node(incarnation))
            }
            ("users", "") => Some(Channel::Users),
            ("everyone", "") => Some(Channel::Everyone),
            ("nodes", "") => Some(Channel::Nodes),
            _ => None,
        }
    }
}

/// All characters except the unreserved ones.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Returns a name without characters that have a meaning in keys.
pub(crate) fn escaped(name: &str) -> String {
    utf8_percent_encode(name, RESERVED).to_string()
}

/// Reverses [`escaped`]. Returns `None` for text that it does not write.
fn unescaped(text: &str) -> Option<String> {
    let name = percent_decode_str(text).decode_utf8().ok()?;
    (escaped(&name) == text).then(|| name.into_owned())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops where it fails")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn channels() -> impl Strategy<Value = Channel> {
        prop_oneof![
            "[^\\p{Cc}]{1,30}".prop_map(|name| Channel::Group(GroupName::new(name).unwrap())),
            any::<u64>().prop_map(Channel::Node),
            "(group|node|users|everyone|nodes)?[:%*{}a]{0,3}(group|node|users|everyone|nodes)"
                .prop_map(|name| Channel::Group(GroupName::new(name).unwrap())),
            Just(Channel::Users),
            Just(Channel::Everyone),
            Just(Channel::Nodes),
        ]
    }

    fn prefixes() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z]{1,3}:", "(ws:)?(group:|node:|users:|everyone:|a|g|ws){0,3}:?x?"]
            .prop_filter("a prefix has characters", |prefix| !prefix.is_empty())
    }

    proptest! {
        #[test]
        fn parsing_a_channel_name_returns_the_channel(prefix in prefixes(), channel in channels()) {
            let keyspace = Keyspace::new(prefix);
            prop_assert_eq!(keyspace.parse_channel(&keyspace.channel(&channel)), Some(channel));
        }

        #[test]
        fn two_channels_or_prefixes_never_share_a_name(
            one in (prefixes(), channels()), other in (prefixes(), channels()),
        ) {
            let (first, second) = (Keyspace::new(&*one.0).channel(&one.1), Keyspace::new(&*other.0).channel(&other.1));
            prop_assert_eq!(first == second, one == other);
        }

        #[test]
        fn a_channel_name_has_no_special_characters(channel in channels()) {
            let name = Keyspace::new("ws:").channel(&channel);
            prop_assert!(name.bytes().all(|byte| byte.is_ascii_graphic() && !b"*?[]\\{}".contains(&byte)), "{}", name);
        }

        #[test]
        fn only_names_that_are_written_are_parsed(name in "ws:(group|node|nodes|x)?:?.{0,20}") {
            let keyspace = Keyspace::new("ws:");
            if let Some(channel) = keyspace.parse_channel(&name) {
                prop_assert_eq!(keyspace.channel(&channel), name);
            }
        }
    }
}
