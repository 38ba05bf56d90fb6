//! Log lines that strangers can cause: at most one a second of each kind, and a count of those left out.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const PAUSE: Duration = Duration::from_secs(1);

/// One kind of line.
#[derive(Debug, Default)]
pub(super) struct Capped(Mutex<(Option<Instant>, u64)>);

impl Capped {
    /// Whether a line may be written now: then how many were left out since the last one.
    pub(super) fn due(&self) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, left_out) = &mut *state;
        let now = Instant::now();
        if last.is_some_and(|last| now < last + PAUSE) {
            *left_out += 1;
            return None;
        }
        *last = Some(now);
        Some(std::mem::take(left_out))
    }
}
