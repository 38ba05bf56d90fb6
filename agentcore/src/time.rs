//! Timestamps and durations as they are written on the wire.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::{DateTime, date};
use jiff::tz::Offset;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time in UTC, written as RFC 3339 with milliseconds: `2026-01-31T12:00:00.000Z`.
///
/// It is read from any date and time of RFC 3339 (5.6) in the years 0 to 9999 UTC, with any offset. A leap second is
/// read as the second before it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(DateTime);

const EARLIEST: DateTime = date(0, 1, 1).at(0, 0, 0, 0);

impl Timestamp {
    /// Reads the wall clock of this machine.
    #[must_use]
    pub fn now() -> Self {
        Self(Offset::UTC.to_datetime(jiff::Timestamp::now()))
    }

    /// Returns the seconds since 1970.
    #[cfg(feature = "metrics")]
    pub(crate) fn seconds(self) -> f64 {
        self.0.duration_since(date(1970, 1, 1).at(0, 0, 0, 0)).as_secs_f64()
    }

    /// Returns the time `duration` earlier, or the earliest time that can be represented.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.checked_sub(duration).map_or(EARLIEST, |time| time.max(EARLIEST)))
    }

    /// Returns the time `duration` later, or the latest time that can be represented.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.checked_add(duration).unwrap_or(DateTime::MAX))
    }
}

/// Returns the duration in milliseconds, rounded up so that a retry hint is never too early.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}Z", self.0)
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
        read(text).map(Self).ok_or_else(|| TimestampError { text: text.chars().take(64).collect() })
    }
}

/// Reads `date-time` of RFC 3339 (5.6), and converts it to UTC. jiff itself accepts other forms of ISO 8601 too.
fn read(mut text: &str) -> Option<DateTime> {
    let rest = &mut text;
    let (year, _, month, _, day) =
        (digits(rest, 4)?, one_of(rest, "-")?, digits(rest, 2)?, one_of(rest, "-")?, digits(rest, 2)?);
    one_of(rest, "Tt")?;
    let (hour, _, minute, _, second) =
        (digits(rest, 2)?, one_of(rest, ":")?, digits(rest, 2)?, one_of(rest, ":")?, digits(rest, 2)?);
    let fraction = match rest.strip_prefix('.') {
        Some(after) => {
            let length = after.bytes().take_while(u8::is_ascii_digit).count();
            let (fraction, after) = after.split_at_checked(length).filter(|(fraction, _)| !fraction.is_empty())?;
            *rest = after;
            format!("{fraction:0<9.9}").parse().ok()?
        }
        None => 0,
    };
    let offset = match one_of(rest, "Zz+-")? {
        sign @ ('+' | '-') => {
            let (hours, _, minutes) = (digits(rest, 2)?, one_of(rest, ":")?, digits(rest, 2)?);
            let offset =
                (hours < 24 && minutes < 60).then(|| SignedDuration::from_mins((hours * 60 + minutes).into()))?;
            if sign == '-' { -offset } else { offset }
        }
        _utc => SignedDuration::ZERO,
    };
    let small = |number: i16| i8::try_from(number).ok();
    let is_leap = second == 60;
    let second = if is_leap { 59 } else { second };
    let local =
        DateTime::new(year, small(month)?, small(day)?, small(hour)?, small(minute)?, small(second)?, fraction).ok()?;
    let utc = local.checked_sub(offset).ok()?;
    // Leap seconds end June or December (RFC 3339, 5.7).
    let ends_half_year =
        matches!((utc.month(), utc.day(), utc.hour(), utc.minute()), (6, 30, 23, 59) | (12, 31, 23, 59));
    (rest.is_empty() && utc >= EARLIEST && (ends_half_year || !is_leap)).then_some(utc)
}

/// Takes a number of exactly `count` digits.
fn digits(rest: &mut &str, count: usize) -> Option<i16> {
    let (number, after) = rest.split_at_checked(count)?;
    *rest = after;
    number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())?
}

/// Takes one of these characters.
fn one_of(rest: &mut &str, characters: &str) -> Option<char> {
    let first = rest.chars().next().filter(|first| characters.contains(*first))?;
    *rest = rest.get(1..)?;
    Some(first)
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
            ("2026-01-31t06:15:00.5000000009-05:45", "2026-01-31T12:00:00.500Z"),
            ("0000-01-01T00:00:00z", "0000-01-01T00:00:00.000Z"),
            ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999Z"),
            ("9999-12-31T00:00:00-23:59", "9999-12-31T23:59:00.000Z"),
            ("1998-12-31T15:59:60.7-08:00", "1998-12-31T23:59:59.700Z"),
            ("2024-02-29T00:00:00-00:00", "2024-02-29T00:00:00.000Z"),
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

    #[test]
    fn only_the_date_time_of_rfc_3339_is_read() {
        for text in [
            "",
            "2026-01-31",
            "2026-01-31T12:00Z",
            "2026-01-31T12:00:00",
            "2026-01-31 12:00:00Z",
            "2026-01-31T12:00:00,5Z",
            "2026-01-31T12:00:00.Z",
            "2026-01-31T12:00:00Z ",
            "20260131T120000Z",
            "2026-01-31T12:00:00+02",
            "2026-01-31T12:00:00+0200",
            "2026-01-31T12:00:00+24:00",
            "2026-01-31T12:00:00+01:60",
            "2026-01-31T12:00:00+01:00[Europe/Berlin]",
            "2026-01-31T12:00:00Z[UTC]",
            "-0001-01-01T00:00:00Z",
            "-000001-01-01T00:00:00Z",
            "+002026-01-31T12:00:00Z",
            "0000-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "2026-02-29T12:00:00Z",
            "2026-01-31T24:00:00Z",
            "2026-01-31T12:60:00Z",
            "2026-01-31T12:00:60Z",
            "2026-01-31T23:59:60Z",
            "1998-12-31T23:59:61Z",
            "2026-01-31T12:00:0٣Z",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn times_stay_within_the_years_that_can_be_written() {
        let long = Duration::from_secs(u64::MAX / 2);
        assert_eq!(Timestamp::now().before(long).to_string(), "0000-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::now().after(long).to_string(), "9999-12-31T23:59:59.999Z");
    }
}
