//! What would fill the log if it were told each time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// At most one line in this time.
const PACE: Duration = Duration::from_secs(1);

/// The pace of one kind of line.
#[derive(Debug, Default)]
pub(crate) struct Seldom(Mutex<Option<Instant>>);

impl Seldom {
    /// Whether it may be told now; it counts as told then.
    pub(crate) fn may_tell(&self) -> bool {
        let now = Instant::now();
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let may = told.is_none_or(|last| now.saturating_duration_since(last) >= PACE);
        if may {
            *told = Some(now);
        }
        may
    }
}
