//! What keys and channels are called.
//!
//! No two names meet, and none leaves the prefix: what a user chose is percent-encoded, all but the unreserved characters
//! of RFC 3986 (2.3), so it has no colon, brace or glob character; and every channel is the prefix, a kind, a colon and
//! one such name. Two applications with different prefixes share nothing, also when one prefix begins with the other.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::id::GroupName;
use crate::message::Recipient;

/// The prefix of everything that an application keeps in Redis: `REDIS_CHANNEL_PREFIX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keyspace {
    prefix: String,
}

/// What a channel is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Channel {
    /// Messages to a group.
    Group(GroupName),
    /// Messages to users; every node hears them.
    Users,
    /// Messages to everyone.
    Everyone,
    /// What nodes say to all nodes.
    Nodes,
    /// What nodes say to one life of a node, and messages to its connections.
    Node(u64),
}

impl Channel {
    /// On which channel a message travels.
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
    /// Keyspace under a prefix, which the settings have checked.
    pub(crate) fn new(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into() }
    }

    /// What all keys begin with that must be changed together. They share a hash tag, and so a slot in a cluster.
    pub(crate) fn registry(&self) -> String {
        format!("{0}{{{0}}}", self.prefix)
    }

    /// What the keys of rate limits begin with; a subject's keys share a hash tag.
    pub(crate) fn rate(&self, subject: &str) -> String {
        format!("{}rate:{{{}}}", self.prefix, escaped(subject))
    }

    /// The name of a channel.
    pub(crate) fn channel(&self, channel: &Channel) -> String {
        let prefix = &self.prefix;
        match channel {
            Channel::Group(group) => format!("{prefix}group:{}", escaped(group.as_str())),
            Channel::Users => format!("{prefix}users:"),
            Channel::Everyone => format!("{prefix}everyone:"),
            Channel::Nodes => format!("{prefix}nodes:"),
            Channel::Node(origin) => format!("{prefix}node:{origin:016x}"),
        }
    }

    /// The channel that has a name, if it is one of ours.
    pub(crate) fn parse(&self, name: &str) -> Option<Channel> {
        let (kind, name) = name.strip_prefix(&self.prefix)?.split_once(':')?;
        match (kind, name) {
            ("group", name) => GroupName::new(unescaped(name)?).ok().map(Channel::Group),
            ("node", name) => {
                let origin = u64::from_str_radix(name, 16).ok()?;
                (format!("{origin:016x}") == name).then_some(Channel::Node(origin))
            }
            ("users", "") => Some(Channel::Users),
            ("everyone", "") => Some(Channel::Everyone),
            ("nodes", "") => Some(Channel::Nodes),
            _ => None,
        }
    }
}

/// All but the unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A name without any character that means something in a key.
pub(crate) fn escaped(name: &str) -> String {
    utf8_percent_encode(name, RESERVED).to_string()
}

/// The name that was escaped; `None` for what [`escaped`] does not write.
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
        fn a_name_leads_back_to_its_channel(prefix in prefixes(), channel in channels()) {
            let names = Keyspace::new(prefix);
            prop_assert_eq!(names.parse(&names.channel(&channel)), Some(channel));
        }

        #[test]
        fn no_two_channels_meet_under_any_two_prefixes(
            one in (prefixes(), channels()), other in (prefixes(), channels()),
        ) {
            let (first, second) = (Keyspace::new(&*one.0).channel(&one.1), Keyspace::new(&*other.0).channel(&other.1));
            prop_assert_eq!(first == second, one == other);
        }

        #[test]
        fn no_channel_has_a_character_that_means_something(channel in channels()) {
            let name = Keyspace::new("ws:").channel(&channel);
            prop_assert!(name.bytes().all(|byte| byte.is_ascii_graphic() && !b"*?[]\\{}".contains(&byte)), "{}", name);
        }

        #[test]
        fn whatever_a_channel_is_called_reading_it_is_safe(name in "ws:(group|node|nodes|x)?:?.{0,20}") {
            let names = Keyspace::new("ws:");
            if let Some(channel) = names.parse(&name) {
                prop_assert_eq!(names.channel(&channel), name);
            }
        }
    }
}
