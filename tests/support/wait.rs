//! Waiting for events, never for a fixed time.

use std::time::Duration;

/// The most that any event of a test may take: generous, so that a busy machine changes nothing.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The output of `future`, which must come within [`PATIENCE`].
///
/// # Panics
/// When it does not.
pub async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}

/// Asks again and again until the answer is yes.
///
/// # Panics
/// When it is still no after [`PATIENCE`].
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    soon(what, async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// Asks again and again until the answer is `wanted`.
///
/// # Panics
/// When it is another one after [`PATIENCE`]; the panic says which.
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
