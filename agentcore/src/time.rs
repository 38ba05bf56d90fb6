//! Timestamps and durations as they are written on the wire.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time in UTC, written as RFC 3339 with milliseconds: `2026-01-31T12:00:00.000Z`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// Reads the wall clock of this machine.
    #[must_use]
    pub fn now() -> Self {
        Self(jiff::Timestamp::now())
    }

    /// Returns the seconds since 1970.
    #[cfg(feature = "metrics")]
    pub(crate) fn seconds(self) -> f64 {
        self.0.as_millisecond() as f64 / 1000.0
    }

    /// Returns the time `duration` earlier, or the earliest time that can be represented.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.checked_sub(duration).unwrap_or(jiff::Timestamp::MIN))
    }

    /// Returns the time `duration` later, or the latest time that can be represented.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.checked_add(duration).unwrap_or(jiff::Timestamp::MAX))
    }
}

/// Returns the duration in milliseconds, rounded up so that a retry hint is never too early.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The error of a text that is not an RFC 3339 date and time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an RFC 3339 date and time such as 2026-01-31T12:00:00.000Z")]
pub struct TimestampError {
    text: String,
}

impl FromStr for Timestamp {
    type Err = TimestampError;
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        text.parse().map(Self).map_err(|_| TimestampError { text: text.chars().take(64).collect() })
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_written_in_utc_with_milliseconds() -> Result<(), TimestampError> {
        for (given, written) in [
            ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000Z"),
            ("2026-01-31T13:00:00.1239+01:00", "2026-01-31T12:00:00.123Z"),
        ] {
            assert_eq!(given.parse::<Timestamp>()?.to_string(), written);
        }
        Ok(())
    }

    #[test]
    fn milliseconds_are_rounded_up() {
        for (duration, expected) in [
            (Duration::ZERO, 0),
            (Duration::from_nanos(1), 1),
            (Duration::from_millis(7), 7),
            (Duration::MAX, u64::MAX),
        ] {
            assert_eq!(millis(duration), expected, "{duration:?}");
        }
    }
}
