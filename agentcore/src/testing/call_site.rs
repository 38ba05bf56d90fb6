//! Failures of expectations: the line of the test, the client, what was expected and what came.

use std::fmt;
use std::panic::Location;

use super::clock::patience;

/// The characters of received text that a failure shows at most.
const MAX_SHOWN: usize = 600;

/// The line of a test that expects something, and the client that it concerns.
#[derive(Debug, Clone)]
pub(super) struct CallSite {
    /// Kept here because `#[track_caller]` does not reach into a future.
    location: &'static Location<'static>,
    subject: String,
}

impl CallSite {
    /// Returns the caller's line. `subject` is the client, or the request.
    #[track_caller]
    pub(super) fn here(subject: impl Into<String>) -> Self {
        Self { location: Location::caller(), subject: subject.into() }
    }

    /// Returns the same line for another client.
    pub(super) fn with_subject(&self, subject: &str) -> Self {
        Self { location: self.location, subject: subject.to_owned() }
    }

    pub(super) fn subject(&self) -> &str {
        &self.subject
    }

    /// Fails the test.
    pub(super) fn fail(&self, problem: impl fmt::Display) -> ! {
        panic!("{}: {}: {problem}", self.location, self.subject)
    }

    /// Awaits `future`, and fails the test with `problem` if it takes longer than [`patience`].
    pub(super) async fn within<F: Future>(&self, problem: impl FnOnce() -> String, future: F) -> F::Output {
        let patience = patience();
        match tokio::time::timeout(patience, future).await {
            Ok(output) => output,
            Err(_) => self.fail(format_args!("{} within {} s", problem(), patience.as_secs())),
        }
    }
}

/// Shortens received text for a failure.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{} .. ({} bytes)", text.get(..end).unwrap_or_default(), text.len()),
    }
}
