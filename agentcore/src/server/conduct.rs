//! How a client behaves: what it is told of its mistakes, what the log is, and when it has made too many.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::inbound::send;
use crate::error::{CloseCode, Error, ErrorCategory, one_line};
use crate::registry::Connection;

/// So many errors of its own a client may cause in a [`MINUTE`]; one more closes its connection.
const MAX_ERRORS: usize = 60;

/// So many pings, frames and messages together, and pongs, which nobody has to ask for (RFC 6455 5.5.3), a client may
/// send in a [`MINUTE`].
const MAX_PINGS: u32 = 60_000;

const MINUTE: Duration = Duration::from_secs(60);

/// One line in the log per kind of error in this time.
const LINE: Duration = Duration::from_secs(1);

/// So many kinds of error are told apart in the log.
const MAX_KINDS: usize = 16;

/// What is remembered of one connection's faults; nothing while there are none.
#[derive(Debug, Default)]
pub(super) struct Conduct(Option<Box<Record>>);

#[derive(Debug, Default)]
struct Record {
    /// When the last errors were caused, at most [`MAX_ERRORS`].
    errors: VecDeque<Instant>,
    lines: Vec<Line>,
    /// How many pings and pongs came since when.
    pings: Option<(Instant, u32)>,
}

/// The log lines of one kind of error.
#[derive(Debug)]
struct Line {
    code: String,
    written: Instant,
    /// How many came since and were not written.
    untold: u32,
}

impl Conduct {
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
            && let Some(untold) = self.line(error.code(), Instant::now())
        {
            error.log_of(connection.id(), connection.user_id(), message_type, untold);
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

    /// Whether an error with this code may be logged now, and how many before it were not.
    fn line(&mut self, code: &str, now: Instant) -> Option<u32> {
        let lines = &mut self.record().lines;
        let Some(line) = lines.iter_mut().find(|line| line.code == code) else {
            if lines.len() == MAX_KINDS {
                lines.remove(0);
            }
            lines.push(Line { code: code.to_owned(), written: now, untold: 0 });
            return Some(0);
        };
        if now.duration_since(line.written) < LINE {
            line.untold = line.untold.saturating_add(1);
            return None;
        }
        line.written = now;
        Some(std::mem::take(&mut line.untold))
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

    fn record(&mut self) -> &mut Record {
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
        let mut conduct = Conduct::default();
        for number in 0..60 {
            assert!(!conduct.errs(at(number)));
        }
        assert!(conduct.errs(at(59)), "61 within 60 seconds");
        // At second 60, the one of second 0 is out of the minute.
        assert!(!conduct.errs(at(60)));
        assert!(conduct.errs(at(60)));
        for number in 0..1_000 {
            assert!(!conduct.errs(at(200 + number)), "one in a second for ever");
        }
    }

    #[test]
    fn a_kind_of_error_gets_one_line_in_a_second_and_the_rest_is_counted() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut conduct = Conduct::default();
        assert_eq!(conduct.line("A", at(0)), Some(0));
        assert_eq!(conduct.line("B", at(1)), Some(0), "another kind");
        for millis in 1..1_000 {
            assert_eq!(conduct.line("A", at(millis)), None);
        }
        assert_eq!(conduct.line("A", at(1_000)), Some(999));
        assert_eq!(conduct.line("A", at(5_000)), Some(0));
        for kind in 0..1_000 {
            conduct.line(&format!("KIND_{kind}"), at(5_000));
        }
        assert_eq!(conduct.record().lines.len(), MAX_KINDS);
    }

    #[test]
    fn a_flood_of_pings_is_noticed() {
        let start = Instant::now();
        let mut conduct = Conduct::default();
        assert!((0..MAX_PINGS).all(|_| !conduct.pings(start)));
        assert!(conduct.pings(start));
        assert!(!conduct.pings(start + MINUTE), "the next minute");
    }
}
