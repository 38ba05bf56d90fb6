//! Detects clients that misbehave: too many errors, or too many pings.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::end::policy_violation;
use super::reply::send_error;
use crate::error::{Error, one_line};
use crate::log_throttle::LogThrottle;
use crate::registry::Connection;

/// Errors a client may cause in one [`WINDOW`]; one more closes its connection.
const MAX_ERRORS: usize = 60;

/// Pings and pongs a client may send in one [`WINDOW`], as frames and as messages; unsolicited pongs count
/// (RFC 6455 5.5.3).
const MAX_PINGS: u32 = 60_000;

const WINDOW: Duration = Duration::from_secs(60);

/// Error codes whose log lines are throttled separately, per connection.
const MAX_LOGGED_CODES: usize = 16;

/// Counts the errors and pings that one client causes. Allocates nothing for a client that causes none.
#[derive(Debug, Default)]
pub(super) struct AbuseMonitor(Option<Box<AbuseRecord>>);

#[derive(Debug)]
struct AbuseRecord {
    /// Times of the last errors, at most [`MAX_ERRORS`].
    errors: VecDeque<Instant>,
    /// Log lines about errors, by error code.
    lines: LogThrottle<String>,
    /// Start of the current window, and the pings and pongs in it.
    pings: Option<(Instant, u32)>,
}

impl Default for AbuseRecord {
    fn default() -> Self {
        Self { errors: VecDeque::new(), lines: LogThrottle::per_second(MAX_LOGGED_CODES), pings: None }
    }
}

impl AbuseMonitor {
    /// Sends an error to the client and logs it if it is severe.
    ///
    /// # Errors
    /// The error that ends the connection: `error` itself if it closes, or `TOO_MANY_ERRORS`.
    pub(super) fn report(
        &mut self,
        connection: &Connection,
        mut error: Error,
        reference: Option<u64>,
        message_type: Option<&str>,
    ) -> Result<(), Error> {
        if error.is_logged()
            && let Some(suppressed) = self.record().lines.permit_key(error.code())
            && let Some(of_all) = connection.meter().permit_error_line(error.code())
        {
            error.log_of(connection.id(), connection.user_id(), message_type, suppressed + of_all);
        }
        send_error(connection, &error, reference, message_type);
        if error.should_disconnect() {
            return Err(error);
        }
        if error.category().is_of_client() && self.exceeds_errors(Instant::now()) {
            return Err(too_many(connection, "TOO_MANY_ERRORS", format!("more than {MAX_ERRORS} errors in a minute")));
        }
        Ok(())
    }

    /// Counts a ping or a pong.
    ///
    /// # Errors
    /// `TOO_MANY_PINGS`, which ends the connection.
    pub(super) fn count_ping(&mut self, connection: &Connection) -> Result<(), Error> {
        if self.exceeds_pings(Instant::now()) {
            let text = format!("more than {MAX_PINGS} pings and pongs in a minute");
            return Err(too_many(connection, "TOO_MANY_PINGS", text));
        }
        Ok(())
    }

    /// Counts an error that the client caused; returns whether there are too many in a sliding window.
    fn exceeds_errors(&mut self, now: Instant) -> bool {
        let errors = &mut self.record().errors;
        while errors.front().is_some_and(|first| now.duration_since(*first) >= WINDOW) {
            errors.pop_front();
        }
        let too_many = errors.len() >= MAX_ERRORS;
        if !too_many {
            errors.push_back(now);
        }
        too_many
    }

    /// Counts a ping; returns whether there are too many. A window that starts with a ping is exact enough to end a
    /// flood.
    fn exceeds_pings(&mut self, now: Instant) -> bool {
        let (since, count) = self.record().pings.get_or_insert((now, 0));
        if now.duration_since(*since) >= WINDOW {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count > MAX_PINGS
    }

    fn record(&mut self) -> &mut AbuseRecord {
        self.0.get_or_insert_default()
    }
}

/// Logs that a connection is closed for abuse, at most once a second for all connections, and returns the error that closes it.
fn too_many(connection: &Connection, code: &'static str, text: String) -> Error {
    if let Some(suppressed) = connection.meter().permit_closed_line(code) {
        let (id, user) = (connection.id(), one_line(connection.user_id().as_str()));
        tracing::warn!(connection = %id, %user, code, suppressed, "closed: {text}");
    }
    policy_violation(connection, code, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixty_errors_in_any_minute_are_tolerated_and_one_more_is_not() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut abuse = AbuseMonitor::default();
        for number in 0..60 {
            assert!(!abuse.exceeds_errors(at(number)));
        }
        assert!(abuse.exceeds_errors(at(59)), "61 within 60 seconds");
        // At second 60, the error of second 0 has left the window.
        assert!(!abuse.exceeds_errors(at(60)));
        assert!(abuse.exceeds_errors(at(60)));
        for number in 0..1_000 {
            assert!(!abuse.exceeds_errors(at(200 + number)), "one per second is tolerated");
        }
    }

    #[test]
    fn a_flood_of_pings_is_detected() {
        let start = Instant::now();
        let mut abuse = AbuseMonitor::default();
        assert!((0..MAX_PINGS).all(|_| !abuse.exceeds_pings(start)));
        assert!(abuse.exceeds_pings(start));
        assert!(!abuse.exceeds_pings(start + WINDOW), "a new window");
    }
}
