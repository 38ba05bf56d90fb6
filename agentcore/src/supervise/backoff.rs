//! The pause before a task that panicked is started again.

use std::time::Duration;

/// The pause after a first panic.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long a task must run without a panic to count as healthy again.
pub(super) const HEALTHY_AFTER: Duration = Duration::from_secs(60);

/// Doubles the pause with each short run.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: FIRST_PAUSE }
    }
}

impl Backoff {
    /// Returns the pause after a run that lasted `run_time`.
    pub(super) fn after(&mut self, run_time: Duration) -> Duration {
        if run_time >= HEALTHY_AFTER {
            self.next = FIRST_PAUSE;
        }
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST_PAUSE);
        pause
    }
}
