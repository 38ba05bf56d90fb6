//! Whose word counts about where a client comes from.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;

/// The value of `TRUSTED_PROXIES`: addresses and networks, separated by commas, such as `10.0.0.0/8, ::1`.
///
/// A request that comes from one of them is taken for the client that its `X-Forwarded-For` names; anybody else's header
/// is ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// Says which entry of a list is no address and no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a comma-separated list of IP addresses and networks such as 10.0.0.0/8; {entry:?} is none")]
pub struct TrustedProxiesError {
    entry: String,
}

impl FromStr for TrustedProxies {
    type Err = TrustedProxiesError;

    fn from_str(list: &str) -> Result<Self, TrustedProxiesError> {
        let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let network = |entry: &str| {
            let network = entry.parse::<IpNet>().ok().or_else(|| entry.parse::<IpAddr>().ok().map(IpNet::from));
            network.ok_or_else(|| TrustedProxiesError { entry: entry.chars().take(64).collect() })
        };
        entries.map(network).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, network) in self.0.iter().enumerate() {
            write!(f, "{}{network}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl TrustedProxies {
    /// Whether it is one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Where a client comes from whose connection was accepted from `peer`, by the entries of its `X-Forwarded-For`, first
    /// to last: each proxy has appended whom it heard from, so the last one that is no proxy of ours counts. What stands
    /// before it is the client's own word.
    pub(crate) fn client<'h>(&self, peer: IpAddr, forwarded: impl DoubleEndedIterator<Item = &'h str>) -> IpAddr {
        let mut client = peer.to_canonical();
        let mut hops = forwarded.flat_map(|header| header.split(',')).rev();
        while self.contains(client) {
            // An entry that is no address ends the chain: nobody vouches for what stands before it.
            match hops.next().and_then(address_of) {
                Some(hop) => client = hop,
                None => break,
            }
        }
        client
    }
}

/// The address of an entry, which may have a port.
fn address_of(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let address = bare.parse().ok().or_else(|| entry.parse().ok().map(|address: SocketAddr| address.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops where it fails")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn client(trusted: &str, peer: &str, forwarded: &[&str]) -> String {
        let trusted: TrustedProxies = trusted.parse().unwrap();
        trusted.client(peer.parse().unwrap(), forwarded.iter().copied()).to_string()
    }

    #[test]
    fn the_last_address_that_is_no_trusted_proxy_counts() {
        for (trusted, peer, forwarded, expected) in [
            // Nobody is trusted, or not this one: the header is the client's own word.
            ("", "203.0.113.9", &["198.51.100.1"][..], "203.0.113.9"),
            ("10.0.0.0/8", "203.0.113.9", &["198.51.100.1"], "203.0.113.9"),
            ("10.0.0.0/8", "10.1.2.3", &["198.51.100.1"], "198.51.100.1"),
            // A client may write whatever it likes in front.
            ("10.0.0.0/8", "10.1.2.3", &["1.1.1.1, 10.9.9.9, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.0/8", "10.1.2.3", &["1.1.1.1", "198.51.100.1,10.4.4.4"], "198.51.100.1"),
            // Only proxies: the first one is as far as anybody saw.
            ("10.0.0.0/8", "10.1.2.3", &["10.5.5.5, 10.4.4.4"], "10.5.5.5"),
            ("10.0.0.0/8", "10.1.2.3", &[], "10.1.2.3"),
            // What is no address ends the chain.
            ("10.0.0.0/8", "10.1.2.3", &["198.51.100.1, unknown, 10.4.4.4"], "10.4.4.4"),
            ("10.0.0.0/8", "10.1.2.3", &["198.51.100.1,,"], "10.1.2.3"),
            // Ports, IPv6, and IPv4 in its clothes.
            ("10.1.2.3", "10.1.2.3", &["198.51.100.1:5555"], "198.51.100.1"),
            ("::1", "::1", &["[2001:db8::7]:443"], "2001:db8::7"),
            ("::1", "::1", &["[2001:db8::7]"], "2001:db8::7"),
            ("fd00::/8, 127.0.0.1", "::ffff:127.0.0.1", &["::ffff:198.51.100.1"], "198.51.100.1"),
        ] {
            assert_eq!(client(trusted, peer, forwarded), expected, "{trusted} {peer} {forwarded:?}");
        }
    }

    #[test]
    fn an_entry_that_is_none_is_named() {
        let error = "10.0.0.0/8, 10.0.0.0/40".parse::<TrustedProxies>().unwrap_err().to_string();
        assert!(error.contains("\"10.0.0.0/40\""), "{error}");
        assert!("proxy.example.com".parse::<TrustedProxies>().is_err());
    }

    proptest! {
        /// Whatever a client writes into the header, its proxy's own entry counts.
        #[test]
        fn nobody_can_write_the_address_of_another(forged in ".{0,60}", own: [u8; 4]) {
            let own = IpAddr::from(own);
            let trusted: TrustedProxies = "10.0.0.0/8".parse().unwrap();
            prop_assume!(!trusted.contains(own));
            let appended = format!("{forged}, {own}");
            prop_assert_eq!(trusted.client(IpAddr::from([10, 0, 0, 1]), [appended.as_str()].into_iter()), own);
            // From outside the header changes nothing.
            prop_assert_eq!(trusted.client(own, [forged.as_str()].into_iter()), own);
        }
    }
}
