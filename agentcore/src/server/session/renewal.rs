//! `agentcore.auth`: an identity ends, and a fresh token renews it. Like `ping` it is answered outside the middleware.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::request::send;
use crate::auth::{Identity, Renewal};
use crate::consumer::ReplyTarget;
use crate::error::{CloseReason, Error, Result, millis};
use crate::manager::ConnectionManager;
use crate::message::RawData;
use crate::registry::{Closing, Connection};
use crate::server::http::identify::decide;

/// The message type, in both directions.
pub(super) const TYPE: &str = "agentcore.auth";

/// Watches over the end of a connection's identity, if it has one. Once is enough: the watch outlives renewals.
pub(super) fn watch(manager: &ConnectionManager, connection: &Arc<Connection>) {
    let Some(renewal) = connection.access().renewal() else { return };
    if connection.identity().expires_at().is_some() && renewal.takes_watch() {
        manager.spawn_for(connection, end(renewal.clone(), connection.clone()));
    }
}

/// Tells the client when its identity ends, and closes when no other one has come within the grace.
async fn end(renewal: Arc<Renewal>, connection: Arc<Connection>) {
    let mut changes = renewal.changes();
    loop {
        changes.mark_unchanged();
        let identity = connection.identity();
        // The wall clock is read once: from here on time only passes, whatever is done to it.
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
            ask(&connection, millis(grace));
            tokio::select! {
                _ = changes.changed() => continue,
                () = tokio::time::sleep(grace) => {}
            }
        }
        // A token that came in time counts, however long the authenticator looks at it.
        renewal.settled().await;
        if changes.has_changed().unwrap_or(false) {
            continue;
        }
        let mut error = Error::authentication("the identity has expired");
        tell(&connection, &mut error, None);
        connection.close(Closing::Frame(CloseReason::of(&error)));
        return;
    }
}

fn ask(connection: &Connection, grace_ms: u64) {
    #[derive(Serialize)]
    struct RenewalNotice {
        grace_ms: u64,
    }
    if let Ok(frame) = connection.codec().encode(TYPE, None, Some(&RenewalNotice { grace_ms })) {
        send(connection, frame.into_bytes());
    }
}

/// Looks at a fresh token, in a task of the connection's: its handlers go on meanwhile.
///
/// # Errors
/// Data without a token, or too many attempts: the answer to the request.
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
    // Not what serde would say of it: that might show the token.
    let FreshToken { token } = fresh.ok_or_else(|| Error::validation("`token` must be a text: the fresh token"))?;
    let attempt = renewal.attempt().map_err(Error::rate_limit)?;
    let (manager, connection, renewal) = (manager.clone(), connection.clone(), renewal.clone());
    let looking = {
        let (manager, connection) = (manager.clone(), connection.clone());
        async move {
            let limit = manager.settings().ws_handler_timeout;
            let identity = connection.identity();
            let decided = decide(limit, async { renewal.authenticator().refresh(&identity, &token).await }).await;
            let renewed = decided.and_then(|fresh| same_user(&identity, fresh));
            match renewed {
                Ok(fresh) => {
                    let remaining = fresh.remaining().map(millis);
                    connection.access().set_identity(fresh);
                    renewal.tell();
                    watch(&manager, &connection);
                    acknowledge(&connection, request, remaining);
                }
                Err(mut error) => {
                    tell(&connection, &mut error, request.reference());
                    if error.should_disconnect() {
                        connection.close(Closing::Frame(CloseReason::of(&error)));
                    }
                }
            }
            // After all else: whoever waits for it sees what became of the token.
            drop(attempt);
        }
    };
    manager.spawn_for(&connection, looking);
    Ok(())
}

fn same_user(identity: &Identity, fresh: Identity) -> Result<Identity> {
    if fresh.user() != identity.user() {
        return Err(Error::authentication("the fresh token is another user's"));
    }
    fresh.checked()
}

fn acknowledge(connection: &Connection, request: ReplyTarget, expires_in_ms: Option<u64>) {
    #[derive(Serialize)]
    struct RenewalReply {
        expires_in_ms: Option<u64>,
    }
    let Some(reference) = request.reference() else { return };
    if let Ok(frame) = connection.codec().reply(reference, Some(&RenewalReply { expires_in_ms })) {
        send(connection, frame.into_bytes());
    }
}

/// Tells the client of an error, and the log if it is a bad one: attempts are bounded, and so are the lines.
fn tell(connection: &Connection, error: &mut Error, reference: Option<u64>) {
    if error.is_logged() {
        error.log_of(connection.id(), connection.user_id(), Some(TYPE), 0);
    }
    connection.meter().error(error);
    if let Ok(frame) = connection.codec().error(reference, error, Some(TYPE)) {
        send(connection, frame.into_bytes());
    }
}
