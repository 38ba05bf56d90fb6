//! Running the application's authenticator with a deadline, and catching its panics.

use std::time::Duration;

use axum::http::StatusCode;

use crate::auth::Identity;
use crate::error::{Error, Result};
use crate::panic::{Panic, catch_panic};

/// Time an authenticator may take, however long `WS_HANDLER_TIMEOUT` is: a client waits for the answer.
const MAX_DURATION: Duration = Duration::from_secs(10);

/// Runs one decision of an authenticator for at most `limit`, and never longer than 10 s.
///
/// # Errors
/// The authenticator's refusal, `INTERNAL_ERROR` when it panics, `TIMEOUT` when it takes too long.
pub(super) async fn authenticate(
    limit: Duration,
    decision: impl Future<Output = Result<Identity>>,
) -> Result<Identity> {
    match tokio::time::timeout(limit.min(MAX_DURATION), catch_panic(decision)).await {
        Ok(Ok(decided)) => decided,
        Ok(Err(Panic(text))) => Err(Error::internal(format!("the authenticator panicked: {text}"))),
        Err(_) => Err(Error::timeout("authentication took too long")
            .with_status(StatusCode::SERVICE_UNAVAILABLE)
            .with_retry_after(Duration::from_secs(1))),
    }
}
