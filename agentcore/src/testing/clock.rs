//! The clock of a test: how long it waits, and how it keeps a paused clock from running on.

use std::sync::mpsc;
use std::time::Duration;

use tokio::time::Instant;

/// The most that anything may take before a test fails: generous, so that a busy machine changes nothing.
const PATIENCE: Duration = Duration::from_secs(20);

/// The same for a paused clock, which jumps to its next timer whenever nothing else is left to do: longer than most timers
/// that a test waits for, and over at once. Not a day: every tick of the heartbeat on the way is run.
const PAUSED_PATIENCE: Duration = Duration::from_secs(3600);

/// How long to wait for what must come.
pub(super) fn patience() -> Duration {
    if is_paused() { PAUSED_PATIENCE } else { PATIENCE }
}

/// Whether tokio's clock is paused: it then stands apart from the machine's.
pub(super) fn is_paused() -> bool {
    let before = std::time::Instant::now();
    let shown = Instant::now().into_std();
    let after = std::time::Instant::now();
    shown < before || after < shown
}

/// Keeps a paused clock from running by itself while the guard lives: time moves only by
/// [`tokio::time::advance`](crate::tokio::time::advance).
///
/// A paused clock jumps to the next timer as soon as every task of the runtime waits, for nothing but timers as tokio
/// sees it. When a handler waits for a thread of the application's own, one with a database for example, the jump would
/// end its deadline before the thread could answer. Work of `spawn_blocking` needs no guard: tokio knows of it.
///
/// The guard holds for 20 s of real time at most, so that an expectation which is not met still fails. It has no effect on
/// a clock that is not paused, or of a runtime with several threads.
///
/// ```
/// use std::time::Duration;
/// use agentcore::{testing, tokio};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(async {
/// let held = testing::hold_clock();
/// let start = tokio::time::Instant::now();
/// let (answer, answered) = tokio::sync::oneshot::channel();
/// std::thread::spawn(move || answer.send("from the database"));
/// // Not cut short by the timer, which is the only one there is.
/// assert!(tokio::time::timeout(Duration::from_secs(1), answered).await.is_ok());
/// tokio::time::advance(Duration::from_secs(3)).await;
/// assert_eq!(start.elapsed(), Duration::from_secs(3));
/// # });
/// ```
///
/// # Panics
/// Outside of a tokio runtime.
#[must_use = "the clock is held while the guard lives"]
pub fn hold_clock() -> ClockGuard {
    let (release, released) = mpsc::channel::<()>();
    // tokio does not advance a paused clock while a blocking task runs.
    tokio::task::spawn_blocking(move || {
        let _ = released.recv_timeout(PATIENCE);
    });
    ClockGuard { _release: release }
}

/// Holds a paused clock; see [`hold_clock`].
#[derive(Debug)]
pub struct ClockGuard {
    /// Dropping it ends the blocking task.
    _release: mpsc::Sender<()>,
}
