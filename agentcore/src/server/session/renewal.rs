//! `agentcore.auth`: an identity expires, and a fresh token renews it. Like `ping`, it bypasses the middleware.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::reply::{send, send_error};
use crate::auth::{Identity, Renewal};
use crate::consumer::ReplyTarget;
use crate::error::{CloseReason, Error, Result};
use crate::manager::ConnectionManager;
use crate::message::RawData;
use crate::registry::{Closing, Connection};
use crate::server::authentication::authenticate;
use crate::time::millis;

/// The message type, in both directions.
pub(super) const TYPE: &str = "agentcore.auth";

/// Spawns the task that enforces the expiry of a connection's identity, unless the identity never expires or the task
/// runs already. The task outlives renewals.
pub(super) fn watch_expiry(manager: &ConnectionManager, connection: &Arc<Connection>) {
    let Some(renewal) = connection.access().renewal() else { return };
    if connection.identity().expires_at().is_some() && renewal.claim_watch() {
        manager.spawn_for(connection, enforce_expiry(renewal.clone(), connection.clone()));
    }
}

/// Checks a fresh token in a task of the connection, so that its handlers continue meanwhile.
///
/// # Errors
/// The answer to the request, when the data has no token or there were too many attempts.
pub(super) fn renew(
    manager: &ConnectionManager,
    connection: &Arc<Connection>,
    renewal: &Arc<Renewal>,
    request: ReplyTarget,
    data: RawData<'_>,
) -> Result<()> {
    #[derive(Deserialize)]
    struct FreshToken {
        token: String,
    }
    let fresh: Option<FreshToken> = data.read();
    // serde's own error is not used, because it may show the token.
    let FreshToken { token } = fresh.ok_or_else(|| Error::validation("`token` must be a string: the fresh token"))?;
    let attempt = renewal.attempt().map_err(Error::rate_limit)?;
    let check = {
        let (manager, connection, renewal) = (manager.clone(), connection.clone(), renewal.clone());
        async move {
            let limit = manager.settings().ws_handler_timeout;
            let identity = connection.identity();
            let decided = authenticate(limit, async { renewal.authenticator().refresh(&identity, &token).await }).await;
            match decided.and_then(|fresh| same_user(&identity, fresh)) {
                Ok(fresh) => {
                    let remaining = fresh.remaining().map(millis);
                    connection.access().set_identity(fresh);
                    renewal.notify();
                    watch_expiry(&manager, &connection);
                    acknowledge(&connection, request, remaining);
                }
                Err(mut error) => {
                    report(&connection, &mut error, request.reference);
                    if error.should_disconnect() {
                        connection.close(Closing::Frame(CloseReason::of(&error)));
                    }
                }
            }
            // Released last, so that a task that waits for the attempt sees its result.
            drop(attempt);
        }
    };
    manager.spawn_for(connection, check);
    Ok(())
}

/// Notifies the client when its identity expires, and closes the connection unless it is renewed within the grace
/// period.
async fn enforce_expiry(renewal: Arc<Renewal>, connection: Arc<Connection>) {
    let mut changes = renewal.changes();
    loop {
        changes.mark_unchanged();
        let identity = connection.identity();
        // The wall clock is read once, so that setting it has no effect on the timers below.
        let Some(remaining) = identity.remaining() else {
            let _ = changes.changed().await;
            continue;
        };
        tokio::select! {
            _ = changes.changed() => continue,
            () = tokio::time::sleep(remaining) => {}
        }
        let grace = identity.grace();
        if !grace.is_zero() {
            request_renewal(&connection, millis(grace));
            tokio::select! {
                _ = changes.changed() => continue,
                () = tokio::time::sleep(grace) => {}
            }
        }
        // A token that arrived in time counts, however long the authenticator takes to check it.
        renewal.settled().await;
        if changes.has_changed().unwrap_or(false) {
            continue;
        }
        let mut error = Error::authentication("the identity has expired");
        report(&connection, &mut error, None);
        connection.close(Closing::Frame(CloseReason::of(&error)));
        return;
    }
}

fn same_user(identity: &Identity, fresh: Identity) -> Result<Identity> {
    if fresh.user() != identity.user() {
        return Err(Error::authentication("the fresh token belongs to another user"));
    }
    fresh.checked()
}

fn request_renewal(connection: &Connection, grace_ms: u64) {
    #[derive(Serialize)]
    struct RenewalNotice {
        grace_ms: u64,
    }
    if let Ok(frame) = connection.codec().encode(TYPE, None, Some(&RenewalNotice { grace_ms })) {
        send(connection, frame.into_bytes());
    }
}

fn acknowledge(connection: &Connection, request: ReplyTarget, expires_in_ms: Option<u64>) {
    #[derive(Serialize)]
    struct RenewalReply {
        expires_in_ms: Option<u64>,
    }
    let Some(reference) = request.reference else { return };
    if let Ok(frame) = connection.codec().reply(reference, Some(&RenewalReply { expires_in_ms })) {
        send(connection, frame.into_bytes());
    }
}

/// Sends an error to the client and logs it if it is severe. Attempts are limited, so the log lines need no throttle.
fn report(connection: &Connection, error: &mut Error, reference: Option<u64>) {
    error.log_of(connection.id(), connection.user_id(), Some(TYPE), 0);
    send_error(connection, error, reference, Some(TYPE));
}
