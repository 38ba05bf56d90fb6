//! The proxies whose `X-Forwarded-For` header is trusted.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::header_list::elements;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The value of `TRUSTED_PROXIES`: a comma-separated list of addresses and networks, such as `10.0.0.0/8, ::1`.
///
/// For a request from one of them, the client's address comes from `X-Forwarded-For`. The header of any other peer is
/// ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// The error of a list with an entry that is neither an address nor a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a comma-separated list of IP addresses and networks such as 10.0.0.0/8; {entry:?} is neither")]
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
    /// Returns whether `address` is a trusted proxy.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Returns the address of a client whose connection was accepted from `peer`, by the `X-Forwarded-For` of its
    /// request.
    ///
    /// Each proxy appends the address of its peer, so the last entry that is not a trusted proxy is the client. Entries
    /// before it are written by the client and cannot be trusted.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let mut hops = elements(headers, FORWARDED_FOR).rev();
        while self.contains(client) {
            // An entry that is not an address ends the chain: entries before it cannot be trusted.
            match hops.next().and_then(address_of) {
                Some(hop) => client = hop,
                None => break,
            }
        }
        client
    }
}

/// Parses an entry, which may have a port.
fn address_of(entry: &[u8]) -> Option<IpAddr> {
    let entry = str::from_utf8(entry).ok()?;
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let address = bare.parse().ok().or_else(|| entry.parse().ok().map(|address: SocketAddr| address.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops where it fails")]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn headers(forwarded: &[&str]) -> HeaderMap {
        forwarded.iter().map(|line| (FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap())).collect()
    }

    fn client(trusted: &str, peer: &str, forwarded: &[&str]) -> String {
        let trusted: TrustedProxies = trusted.parse().unwrap();
        trusted.client(peer.parse().unwrap(), &headers(forwarded)).to_string()
    }

    #[test]
    fn the_client_is_the_last_address_that_is_not_a_trusted_proxy() {
        for (trusted, peer, forwarded, expected) in [
            // The peer is not trusted, so the header is ignored.
            ("", "203.0.113.9", &["198.51.100.1"][..], "203.0.113.9"),
            ("10.0.0.0/8", "203.0.113.9", &["198.51.100.1"], "203.0.113.9"),
            ("10.0.0.0/8", "10.1.2.3", &["198.51.100.1"], "198.51.100.1"),
            // A client may send a header of its own, which proxies append to.
            ("10.0.0.0/8", "10.1.2.3", &["1.1.1.1, 10.9.9.9, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.0/8", "10.1.2.3", &["1.1.1.1", "198.51.100.1,10.4.4.4"], "198.51.100.1"),
            // All entries are proxies: the first one is the farthest known address.
            ("10.0.0.0/8", "10.1.2.3", &["10.5.5.5, 10.4.4.4"], "10.5.5.5"),
            ("10.0.0.0/8", "10.1.2.3", &[], "10.1.2.3"),
            // An entry that is not an address ends the chain.
            ("10.0.0.0/8", "10.1.2.3", &["198.51.100.1, unknown, 10.4.4.4"], "10.4.4.4"),
            ("10.0.0.0/8", "10.1.2.3", &["198.51.100.1, ünknown"], "10.1.2.3"),
            // Empty entries do not count.
            ("10.0.0.0/8", "10.1.2.3", &["198.51.100.1,\t,", " , "], "198.51.100.1"),
            // Ports, IPv6, and IPv4-mapped IPv6 addresses.
            ("10.1.2.3", "10.1.2.3", &["198.51.100.1:5555"], "198.51.100.1"),
            ("::1", "::1", &["[2001:db8::7]:443"], "2001:db8::7"),
            ("::1", "::1", &["[2001:db8::7]"], "2001:db8::7"),
            ("fd00::/8, 127.0.0.1", "::ffff:127.0.0.1", &["::ffff:198.51.100.1"], "198.51.100.1"),
        ] {
            assert_eq!(client(trusted, peer, forwarded), expected, "{trusted} {peer} {forwarded:?}");
        }
    }

    #[test]
    fn the_error_names_the_invalid_entry() {
        let error = "10.0.0.0/8, 10.0.0.0/40".parse::<TrustedProxies>().unwrap_err().to_string();
        assert!(error.contains("\"10.0.0.0/40\""), "{error}");
        assert!("proxy.example.com".parse::<TrustedProxies>().is_err());
    }

    proptest! {
        /// Whatever a client sends in the header, the entry of the proxy decides.
        #[test]
        fn a_client_cannot_forge_its_address(forged in "\\PC{0,60}", own: [u8; 4]) {
            let own = IpAddr::from(own);
            let trusted: TrustedProxies = "10.0.0.0/8".parse().unwrap();
            prop_assume!(!trusted.contains(own));
            let appended = format!("{forged}, {own}");
            prop_assert_eq!(trusted.client(IpAddr::from([10, 0, 0, 1]), &headers(&[&appended])), own);
            // Without a proxy the header has no effect.
            prop_assert_eq!(trusted.client(own, &headers(&[&forged])), own);
        }
    }
}
