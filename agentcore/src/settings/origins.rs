//! Which pages may open connections.

use std::fmt;
use std::str::FromStr;

/// The value of `ALLOWED_ORIGINS`: `*`, or origins separated by commas, such as `https://example.com`. When it is not
/// set, a page may connect to the server that it was loaded from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedOrigins(Allowed);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Allowed {
    /// The origin of the request's `Host`.
    #[default]
    Same,
    Listed(Vec<Origin>),
    Any,
}

/// Says which entry of a list is no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`*`, or a comma-separated list of origins such as https://example.com, without a path; {entry:?} is none")]
pub struct AllowedOriginsError {
    entry: String,
}

/// Scheme, host and port (RFC 6454 4); the port that goes without saying is filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl FromStr for AllowedOrigins {
    type Err = AllowedOriginsError;

    fn from_str(list: &str) -> Result<Self, AllowedOriginsError> {
        let entries: Vec<_> = list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect();
        match *entries {
            [] => return Ok(Self::default()),
            ["*"] => return Ok(Self(Allowed::Any)),
            _ => {}
        }
        let origin = |entry: &&str| {
            Origin::parse(entry).ok_or_else(|| AllowedOriginsError { entry: entry.chars().take(64).collect() })
        };
        entries.iter().map(origin).collect::<Result<_, _>>().map(|listed| Self(Allowed::Listed(listed)))
    }
}

impl fmt::Display for AllowedOrigins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Allowed::Same => f.write_str("the server's own"),
            Allowed::Any => f.write_str("*"),
            Allowed::Listed(listed) => {
                let listed: Vec<_> = listed.iter().map(ToString::to_string).collect();
                f.write_str(&listed.join(", "))
            }
        }
    }
}

impl AllowedOrigins {
    /// Whether a page of `origin`, the value of the request's `Origin`, may connect to `host`, the value of its `Host`.
    #[must_use]
    pub fn allows(&self, origin: &str, host: &str) -> bool {
        match &self.0 {
            Allowed::Any => true,
            // A page in a sandbox or a file says `null`: that is nobody's origin.
            Allowed::Listed(listed) => Origin::parse(origin).is_some_and(|origin| listed.contains(&origin)),
            Allowed::Same => Origin::parse(origin).is_some_and(|origin| origin.is_of(host)),
        }
    }

    /// Whether every page may connect: `*`.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.0 == Allowed::Any
    }

    /// Whether only pages of the server itself may connect: nothing is set.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.0 == Allowed::Same
    }
}

impl Origin {
    /// Reads `scheme://host` or `scheme://host:port` and nothing else.
    fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let mut letters = scheme.bytes();
        let begins = letters.next()?.is_ascii_alphabetic();
        if !begins || !letters.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let (host, port) = authority_of(authority)?;
        let mut origin = Self { scheme, host, port };
        origin.port = origin.port.or(origin.default_port());
        Some(origin)
    }

    /// Whether `host`, as a request names it, is this origin's: the port that goes without saying is the scheme's.
    fn is_of(&self, host: &str) -> bool {
        authority_of(host).is_some_and(|(host, port)| host == self.host && port.or(self.default_port()) == self.port)
    }

    fn default_port(&self) -> Option<u16> {
        match self.scheme.as_str() {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        match self.port {
            Some(port) if Some(port) != self.default_port() => write!(f, ":{port}"),
            _ => Ok(()),
        }
    }
}

/// Splits `host` or `host:port`; letters become lower case.
fn authority_of(text: &str) -> Option<(String, Option<u16>)> {
    // The colons of an IPv6 address are inside brackets.
    let end = if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':').unwrap_or(text.len()) };
    let (host, port) = text.split_at_checked(end)?;
    let sound = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)),
    };
    if host.is_empty() || !sound {
        return None;
    }
    let port = match port.strip_prefix(':') {
        // A sign is not a digit, although the parser would take it.
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
        Some(_) => return None,
        None if port.is_empty() => None,
        None => return None,
    };
    Some((host.to_ascii_lowercase(), port))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops where it fails")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn allows(allowed: &str, origin: &str, host: &str) -> bool {
        allowed.parse::<AllowedOrigins>().unwrap().allows(origin, host)
    }

    #[test]
    fn unless_said_a_page_may_connect_to_its_own_server() {
        for (origin, host, expected) in [
            ("http://localhost:8000", "localhost:8000", true),
            ("https://example.com", "example.com", true),
            ("https://example.com", "EXAMPLE.com:443", true),
            ("http://example.com:80", "example.com", true),
            ("https://[::1]:8443", "[::1]:8443", true),
            ("http://localhost:8001", "localhost:8000", false),
            ("http://localhost", "localhost:8000", false),
            ("https://example.com", "example.com:80", false),
            ("https://evil.com", "example.com", false),
            ("https://example.com.evil.com", "example.com", false),
            ("https://evilexample.com", "example.com", false),
            ("https://example.com@evil.com", "example.com", false),
            ("https://evil.com/example.com", "example.com", false),
            ("null", "example.com", false),
            ("null", "null", false),
            ("", "", false),
            ("example.com", "example.com", false),
            ("https://", "", false),
        ] {
            assert_eq!(allows("", origin, host), expected, "{origin:?} {host:?}");
        }
    }

    #[test]
    fn a_listed_origin_is_compared_in_scheme_host_and_port() {
        let listed = "https://example.com, http://localhost:3000,capacitor://localhost";
        for (origin, expected) in [
            ("https://example.com", true),
            ("https://example.com:443", true),
            ("HTTPS://EXAMPLE.COM", true),
            ("http://localhost:3000", true),
            ("capacitor://localhost", true),
            ("http://example.com", false),
            ("https://example.com:8443", false),
            ("https://sub.example.com", false),
            ("https://example.com.", false),
            ("https://example.com/", false),
            ("https://example.com:+443", false),
            ("https://example.com:", false),
            ("null", false),
            // The server's own origin is not listed.
            ("https://api.example.com", false),
        ] {
            assert_eq!(allows(listed, origin, "api.example.com"), expected, "{origin:?}");
        }
        assert!(allows("*", "null", "x") && allows("*", "https://evil.com", "x"));
    }

    #[test]
    fn an_entry_that_is_none_is_named() {
        for bad in ["https://a.com/", "a.com", "https://a.com, *", "https://*.a.com", "https://münchen.de", "null"] {
            let error = bad.parse::<AllowedOrigins>().unwrap_err().to_string();
            assert!(error.contains("is none"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_not_the_same_text_is_the_same_origin(origin in "\\PC{0,40}", host in "[a-z]{1,8}\\.[a-z]{2,3}") {
            let allowed = AllowedOrigins::default();
            if allowed.allows(&origin, &host) {
                let rest = origin.to_ascii_lowercase();
                let rest = rest.split_once("://").map(|(_, rest)| rest.to_owned()).unwrap();
                prop_assert!([host.clone(), format!("{host}:80"), format!("{host}:443")].contains(&rest), "{}", origin);
            }
        }

        #[test]
        fn a_listed_origin_survives_its_text(host in "[a-z0-9]{1,8}(\\.[a-z]{2,3})?", port: Option<u16>, tls: bool) {
            let scheme = if tls { "https" } else { "http" };
            let origin = port.map_or(format!("{scheme}://{host}"), |port| format!("{scheme}://{host}:{port}"));
            let allowed: AllowedOrigins = origin.parse().unwrap();
            prop_assert!(allowed.allows(&origin, "other"));
            let longer = origin + "0.evil";
            prop_assert!(!allowed.allows(&longer, "other"));
            prop_assert_eq!(allowed.to_string().parse::<AllowedOrigins>().unwrap(), allowed);
        }
    }
}
