//! Waiting for a time that may not be set.

use tokio::time::{Instant, sleep_until};

/// Waits until a time; for ever without one.
pub(super) async fn wait_until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
