//! The close codes of RFC 6455 7.4.

use std::fmt;

/// The status code of a close frame (RFC 6455 7.4).
///
/// A code is made from its number with `CloseCode::from(4000)`; the variants with a number hold the codes that have no
/// name of their own.
///
/// ```
/// # use agentcore::CloseCode;
/// assert_eq!(CloseCode::from(1008), CloseCode::Policy);
/// assert_eq!(u16::from(CloseCode::Library(4401)), 4401);
/// assert_eq!(CloseCode::Restart.to_string(), "1012");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseCode {
    /// 1000: the connection has served its purpose (7.4.1).
    Normal,
    /// 1001: an endpoint goes away, as when a browser leaves a page (7.4.1).
    Away,
    /// 1002: a protocol error (7.4.1).
    Protocol,
    /// 1003: a kind of data that the endpoint does not accept (7.4.1).
    Unsupported,
    /// 1005: the close frame had no code (7.4.1). It is never sent.
    Status,
    /// 1006: the connection ended without a close frame (7.4.1). It is never sent.
    Abnormal,
    /// 1007: data that do not match their type, such as text that is not UTF-8 (7.4.1).
    Invalid,
    /// 1008: a message that breaks a rule of the endpoint (7.4.1).
    Policy,
    /// 1009: a message that is too big (7.4.1).
    Size,
    /// 1010: a client expected an extension that the server did not negotiate (7.4.1).
    Extension,
    /// 1011: an unexpected condition in the server (7.4.1).
    Error,
    /// 1012: the server restarts (IANA registry, 7.4.2 and 11.7).
    Restart,
    /// 1013: the server is overloaded, try again later (IANA registry).
    Again,
    /// 1014: a gateway received an invalid response from upstream (IANA registry).
    BadGateway,
    /// 1015: the TLS handshake failed (7.4.1). It is never sent.
    Tls,
    /// 3000 to 3999: registered by libraries, frameworks and applications (7.4.2).
    Iana(u16),
    /// 4000 to 4999: private use, by agreement between applications (7.4.2).
    Library(u16),
    /// Any other number: unassigned or outside the ranges of 7.4.2. It is never sent.
    Unassigned(u16),
}

impl CloseCode {
    /// Returns whether a close frame may carry the code, in either direction (RFC 6455 7.4).
    #[must_use]
    pub fn is_allowed(self) -> bool {
        !matches!(Self::from(u16::from(self)), Self::Status | Self::Abnormal | Self::Tls | Self::Unassigned(_))
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        match code {
            1000 => Self::Normal,
            1001 => Self::Away,
            1002 => Self::Protocol,
            1003 => Self::Unsupported,
            1005 => Self::Status,
            1006 => Self::Abnormal,
            1007 => Self::Invalid,
            1008 => Self::Policy,
            1009 => Self::Size,
            1010 => Self::Extension,
            1011 => Self::Error,
            1012 => Self::Restart,
            1013 => Self::Again,
            1014 => Self::BadGateway,
            1015 => Self::Tls,
            3000..=3999 => Self::Iana(code),
            4000..=4999 => Self::Library(code),
            _ => Self::Unassigned(code),
        }
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        match code {
            CloseCode::Normal => 1000,
            CloseCode::Away => 1001,
            CloseCode::Protocol => 1002,
            CloseCode::Unsupported => 1003,
            CloseCode::Status => 1005,
            CloseCode::Abnormal => 1006,
            CloseCode::Invalid => 1007,
            CloseCode::Policy => 1008,
            CloseCode::Size => 1009,
            CloseCode::Extension => 1010,
            CloseCode::Error => 1011,
            CloseCode::Restart => 1012,
            CloseCode::Again => 1013,
            CloseCode::BadGateway => 1014,
            CloseCode::Tls => 1015,
            CloseCode::Iana(code) | CloseCode::Library(code) | CloseCode::Unassigned(code) => code,
        }
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        u16::from(*self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_survives_the_conversion_to_a_code_and_back() {
        for number in 0..=u16::MAX {
            let code = CloseCode::from(number);
            assert_eq!(u16::from(code), number);
            assert_eq!(code.to_string(), number.to_string());
        }
    }

    #[test]
    fn only_assigned_codes_that_describe_a_sent_frame_are_allowed() {
        let allowed = |code: u16| matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        for code in 0..=u16::MAX {
            assert_eq!(CloseCode::from(code).is_allowed(), allowed(code), "{code}");
        }
        // A hand-made variant is judged by its number.
        assert!(CloseCode::Library(1000).is_allowed());
        assert!(!CloseCode::Library(1005).is_allowed());
    }
}
