//! The clock of a test: how long expectations wait, and how to keep a paused clock from advancing.

use std::sync::mpsc;
use std::time::Duration;

use tokio::time::Instant;

/// The real time after which an unmet expectation fails: long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// The time of a paused clock after which an unmet expectation fails. A paused clock jumps to the next timer when all
/// tasks are idle, so this passes quickly; a longer time would run more heartbeats on the way.
const PAUSED_PATIENCE: Duration = Duration::from_secs(3600);

/// Returns the time after which an unmet expectation fails.
pub(super) fn patience() -> Duration {
    if is_paused() { PAUSED_PATIENCE } else { PATIENCE }
}

/// Returns whether tokio's clock is paused, and therefore differs from the clock of the machine.
pub(super) fn is_paused() -> bool {
    let before = std::time::Instant::now();
    let shown = Instant::now().into_std();
    let after = std::time::Instant::now();
    shown < before || after < shown
}

/// Keeps a paused clock from advancing by itself while the guard lives. Only
/// [`tokio::time::advance`](crate::tokio::time::advance) moves it then.
///
/// A paused clock jumps to the next timer as soon as every task of the runtime waits. tokio does not know about threads
/// of the application's own, such as one for a database: when a handler waits for such a thread, the jump would reach
/// the handler's deadline before the thread answers. Work of `spawn_blocking` needs no guard, since tokio tracks it.
///
/// The guard holds for at most 20 s of real time, so that an unmet expectation still fails. It has no effect on a clock
/// that is not paused, or on a runtime with several threads.
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
/// // The guard keeps the clock from jumping to the timeout, which is the only timer.
/// assert!(tokio::time::timeout(Duration::from_secs(1), answered).await.is_ok());
/// tokio::time::advance(Duration::from_secs(3)).await;
/// assert_eq!(start.elapsed(), Duration::from_secs(3));
/// # });
/// ```
///
/// # Panics
/// Outside a tokio runtime.
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
    /// Ends the blocking task when it is dropped.
    _release: mpsc::Sender<()>,
}
