//! How an expectation fails: where it stands, whose it is, what was expected and what came.

use std::fmt;
use std::panic::Location;

use super::clock::patience;

/// An expectation of a test.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The line of the test: a future cannot report it as the place of its panic.
    location: &'static Location<'static>,
    /// The client.
    who: String,
}

impl Place {
    /// The place that calls.
    #[track_caller]
    pub(super) fn here(who: impl Into<String>) -> Self {
        Self { location: Location::caller(), who: who.into() }
    }

    /// The same place, for another client.
    pub(super) fn of(&self, who: &str) -> Self {
        Self { location: self.location, who: who.to_owned() }
    }

    /// The client, or what was asked for.
    pub(super) fn who(&self) -> &str {
        &self.who
    }

    /// Ends the test.
    pub(super) fn fail(&self, what: impl fmt::Display) -> ! {
        panic!("{}: {}: {what}", self.location, self.who)
    }

    /// The output of `future`, which must come in time.
    pub(super) async fn within<F: Future>(&self, what: impl FnOnce() -> String, future: F) -> F::Output {
        let patience = patience();
        match tokio::time::timeout(patience, future).await {
            Ok(output) => output,
            Err(_) => self.fail(format_args!("{} within {} s", what(), patience.as_secs())),
        }
    }
}

/// At most so much of what came is shown.
const SHOWN: usize = 600;

/// What came, for people: one line, and not without end.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{} .. ({} bytes)", text.get(..end).unwrap_or_default(), text.len()),
    }
}
