//! Waiting for events, never for a fixed time.

use std::time::Duration;

/// The longest that any event of a test may take; generous, so that a busy machine changes nothing.
pub const PATIENCE: Duration = Duration::from_secs(20);

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
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    soon(what, async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
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
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, asking).await.is_err() {
        panic!("{what}: {last:?} instead of {wanted:?} after {PATIENCE:?}");
    }
}
