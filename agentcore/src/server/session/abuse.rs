//! How a client behaves: what it is told of its mistakes, what the log is, and when it has made too many.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::request::send;
use crate::error::{CloseCode, Error, ErrorCategory, one_line};
use crate::log_throttle::LogThrottle;
use crate::registry::Connection;

/// So many errors of its own a client may cause in a [`MINUTE`]; one more closes its connection.
const MAX_ERRORS: usize = 60;

/// So many pings, frames and messages together, and pongs, which nobody has to ask for (RFC 6455 5.5.3), a client may
/// send in a [`MINUTE`].
const MAX_PINGS: u32 = 60_000;

const MINUTE: Duration = Duration::from_secs(60);

/// Error codes whose log lines are throttled separately, per connection.
const MAX_KINDS: usize = 16;

/// What is remembered of one connection's faults; nothing while there are none.
#[derive(Debug, Default)]
pub(super) struct AbuseMonitor(Option<Box<AbuseRecord>>);

#[derive(Debug)]
struct AbuseRecord {
    /// When the last errors were caused, at most [`MAX_ERRORS`].
    errors: VecDeque<Instant>,
    /// Log lines about errors, by error code.
    lines: LogThrottle<String>,
    /// How many pings and pongs came since when.
    pings: Option<(Instant, u32)>,
}

impl Default for AbuseRecord {
    fn default() -> Self {
        Self { errors: VecDeque::new(), lines: LogThrottle::per_second(MAX_KINDS), pings: None }
    }
}

impl AbuseMonitor {
    /// Tells the client of an error, and the log if it is a bad one. Says how the connection ends, if it does: by the
    /// error itself, or because the client has caused too many.
    pub(super) fn tell(
        &mut self,
        connection: &Connection,
        mut error: Error,
        reference: Option<u64>,
        message_type: Option<&str>,
    ) -> Result<(), Error> {
        if error.is_logged()
            && let Some(suppressed) = self.record().lines.permit_key(error.code())
        {
            error.log_of(connection.id(), connection.user_id(), message_type, suppressed);
        }
        connection.meter().error(&error);
        if let Ok(frame) = connection.codec().error(reference, &error, message_type) {
            send(connection, frame.into_bytes());
        }
        if error.should_disconnect() {
            return Err(error);
        }
        if error.category().is_of_client() && self.errs(Instant::now()) {
            return Err(too_many(connection, "TOO_MANY_ERRORS", format!("more than {MAX_ERRORS} errors in a minute")));
        }
        Ok(())
    }

    /// Counts a ping or a pong.
    ///
    /// # Errors
    /// How the connection ends when there were too many.
    pub(super) fn pinged(&mut self, connection: &Connection) -> Result<(), Error> {
        if self.pings(Instant::now()) {
            return Err(too_many(
                connection,
                "TOO_MANY_PINGS",
                format!("more than {MAX_PINGS} pings and pongs in a minute"),
            ));
        }
        Ok(())
    }

    /// Notes an error that the client caused; true for one too many.
    fn errs(&mut self, now: Instant) -> bool {
        let errors = &mut self.record().errors;
        while errors.front().is_some_and(|first| now.duration_since(*first) >= MINUTE) {
            errors.pop_front();
        }
        let too_many = errors.len() >= MAX_ERRORS;
        if !too_many {
            errors.push_back(now);
        }
        too_many
    }

    /// True for one ping too many. Minutes that begin with a ping are exact enough: what matters is that a flood ends.
    fn pings(&mut self, now: Instant) -> bool {
        let (since, count) = self.record().pings.get_or_insert((now, 0));
        if now.duration_since(*since) >= MINUTE {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count > MAX_PINGS
    }

    fn record(&mut self) -> &mut AbuseRecord {
        self.0.get_or_insert_default()
    }
}

/// The end of a connection whose client has gone too far.
fn too_many(connection: &Connection, code: &'static str, what: String) -> Error {
    let (id, user) = (connection.id(), one_line(connection.user_id().as_str()));
    tracing::warn!(connection = %id, %user, code, "closed: {what}");
    let error = Error::new(ErrorCategory::Connection, code, what).with_retryable(false).with_close(CloseCode::Policy);
    connection.meter().error(&error);
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixty_errors_in_any_minute_are_borne_and_one_more_is_not() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut abuse = AbuseMonitor::default();
        for number in 0..60 {
            assert!(!abuse.errs(at(number)));
        }
        assert!(abuse.errs(at(59)), "61 within 60 seconds");
        // At second 60, the one of second 0 is out of the minute.
        assert!(!abuse.errs(at(60)));
        assert!(abuse.errs(at(60)));
        for number in 0..1_000 {
            assert!(!abuse.errs(at(200 + number)), "one in a second for ever");
        }
    }

    #[test]
    fn a_flood_of_pings_is_noticed() {
        let start = Instant::now();
        let mut abuse = AbuseMonitor::default();
        assert!((0..MAX_PINGS).all(|_| !abuse.pings(start)));
        assert!(abuse.pings(start));
        assert!(!abuse.pings(start + MINUTE), "the next minute");
    }
}
