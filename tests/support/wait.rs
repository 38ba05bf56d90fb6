//! Waiting for events, never for a fixed time.

use std::thread;
use std::time::{Duration, Instant};

/// The longest that any event of a test may take; generous, so that a busy machine changes nothing.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Time between two checks of a condition.
const PAUSE: Duration = Duration::from_millis(2);

/// Returns the output of `future`, which must arrive within [`PATIENCE`].
///
/// # Panics
/// If it does not.
pub async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}

/// Checks a condition repeatedly until it holds.
///
/// # Panics
/// If it does not hold after [`PATIENCE`].
pub async fn until(what: &str, holds: impl AsyncFnMut() -> bool) {
    assert!(holds_within(PATIENCE, PAUSE, holds).await, "{what}: not within {PATIENCE:?}");
}

/// Checks a condition every `pause` until it holds. Returns false if it does not hold within `patience`.
pub async fn holds_within(patience: Duration, pause: Duration, mut holds: impl AsyncFnMut() -> bool) -> bool {
    let checking = async {
        while !holds().await {
            tokio::time::sleep(pause).await;
        }
    };
    tokio::time::timeout(patience, checking).await.is_ok()
}

/// Checks a condition repeatedly until it holds, and blocks the thread meanwhile.
///
/// # Panics
/// If it does not hold after [`PATIENCE`].
pub fn block_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        thread::sleep(PAUSE);
    }
}

/// Checks a value repeatedly until it is `wanted`.
///
/// # Panics
/// If it is not after [`PATIENCE`]; the panic shows the last value.
pub async fn until_equal<T: PartialEq + std::fmt::Debug>(what: &str, wanted: T, mut ask: impl AsyncFnMut() -> T) {
    let mut last = None;
    let asking = async {
        loop {
            let answer = ask().await;
            if answer == wanted {
                return;
            }
            last = Some(answer);
            tokio::time::sleep(PAUSE).await;
        }
    };
    if tokio::time::timeout(PATIENCE, asking).await.is_err() {
        panic!("{what}: {last:?} instead of {wanted:?} after {PATIENCE:?}");
    }
}
