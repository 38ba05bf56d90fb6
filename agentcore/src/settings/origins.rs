//! The origins whose pages may open connections.

use std::fmt;
use std::str::FromStr;

/// The value of `ALLOWED_ORIGINS`: `*`, or a comma-separated list of origins such as `https://example.com`.
///
/// By default a page may connect only to the server that it was loaded from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedOrigins(OriginPolicy);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum OriginPolicy {
    /// The origin of the request's `Host`.
    #[default]
    Same,
    Listed(Vec<Origin>),
    Any,
}

/// The error of a list with an entry that is not an origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`*`, or a comma-separated list of origins such as https://example.com, without a path; {entry:?} is not an origin"
)]
pub struct AllowedOriginsError {
    entry: String,
}

/// Scheme, host and port (RFC 6454 4). The default port of the scheme is filled in.
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
            ["*"] => return Ok(Self(OriginPolicy::Any)),
            _ => {}
        }
        let origin = |entry: &&str| {
            Origin::parse(entry).ok_or_else(|| AllowedOriginsError { entry: entry.chars().take(64).collect() })
        };
        entries.iter().map(origin).collect::<Result<_, _>>().map(|listed| Self(OriginPolicy::Listed(listed)))
    }
}

impl fmt::Display for AllowedOrigins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            OriginPolicy::Same => f.write_str("the server's own"),
            OriginPolicy::Any => f.write_str("*"),
            OriginPolicy::Listed(listed) => {
                let listed: Vec<_> = listed.iter().map(ToString::to_string).collect();
                f.write_str(&listed.join(", "))
            }
        }
    }
}

impl AllowedOrigins {
    /// Returns whether a page may connect, by the `Origin` and the `Host` of its request.
    #[must_use]
    pub fn allows(&self, origin: &str, host: &str) -> bool {
        match &self.0 {
            OriginPolicy::Any => true,
            // A sandboxed page or a local file sends `null`, which is not a valid origin.
            OriginPolicy::Listed(listed) => Origin::parse(origin).is_some_and(|origin| listed.contains(&origin)),
            OriginPolicy::Same => Origin::parse(origin).is_some_and(|origin| origin.matches_host(host)),
        }
    }

    /// Returns whether every page may connect (`*`).
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.0 == OriginPolicy::Any
    }

    /// Returns whether only pages of the server itself may connect, which is the default.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.0 == OriginPolicy::Same
    }
}

impl Origin {
    /// Parses `scheme://host` or `scheme://host:port`, and nothing more.
    fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let mut letters = scheme.bytes();
        let starts_with_letter = letters.next()?.is_ascii_alphabetic();
        if !starts_with_letter || !letters.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let (host, port) = split_authority(authority)?;
        let mut origin = Self { scheme, host, port };
        origin.port = origin.port.or(origin.default_port());
        Some(origin)
    }

    /// Returns whether `host`, the `Host` of a request, is this origin's; a missing port is the default of the scheme.
    fn matches_host(&self, host: &str) -> bool {
        split_authority(host).is_some_and(|(host, port)| host == self.host && port.or(self.default_port()) == self.port)
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

/// Splits `host` or `host:port`, and converts the host to lower case.
fn split_authority(text: &str) -> Option<(String, Option<u16>)> {
    // The colons of an IPv6 address are inside brackets.
    let end = if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':').unwrap_or(text.len()) };
    let (host, port) = text.split_at_checked(end)?;
    let valid = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)),
    };
    if host.is_empty() || !valid {
        return None;
    }
    let port = match port.strip_prefix(':') {
        // `parse` would accept a sign.
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
    fn by_default_a_page_may_connect_to_its_own_server_only() {
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
    fn a_listed_origin_is_compared_by_scheme_host_and_port() {
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
            // A list replaces the default, so the server's own origin is not allowed.
            ("https://api.example.com", false),
        ] {
            assert_eq!(allows(listed, origin, "api.example.com"), expected, "{origin:?}");
        }
        assert!(allows("*", "null", "x") && allows("*", "https://evil.com", "x"));
    }

    #[test]
    fn the_error_names_the_invalid_entry() {
        for bad in ["https://a.com/", "a.com", "https://a.com, *", "https://*.a.com", "https://münchen.de", "null"] {
            let error = bad.parse::<AllowedOrigins>().unwrap_err().to_string();
            assert!(error.contains("is not an origin"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn an_origin_that_differs_from_the_host_is_refused(origin in "\\PC{0,40}", host in "[a-z]{1,8}\\.[a-z]{2,3}") {
            let allowed = AllowedOrigins::default();
            if allowed.allows(&origin, &host) {
                let rest = origin.to_ascii_lowercase();
                let rest = rest.split_once("://").map(|(_, rest)| rest.to_owned()).unwrap();
                prop_assert!([host.clone(), format!("{host}:80"), format!("{host}:443")].contains(&rest), "{}", origin);
            }
        }

        #[test]
        fn a_listed_origin_parses_from_its_text(host in "[a-z0-9]{1,8}(\\.[a-z]{2,3})?", port: Option<u16>, tls: bool) {
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
