//! A connection's place: taken before the upgrade, given back when it ends.

use std::sync::Arc;
use std::time::Duration;

use super::{ConnectionManager, Inner};
use crate::backend::{Count, Refused};
use crate::error::{CloseCode, Error, Result};
use crate::id::UserId;
use crate::registry::{Connection, Sink};

/// A place that was admitted; dropping it gives it back.
pub(crate) struct Admitted {
    inner: Arc<Inner>,
    user: UserId,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.inner.backend.release(&self.user);
    }
}

impl ConnectionManager {
    /// Takes a place for a connection of `user`.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED` when a bound is met, `BACKEND_UNAVAILABLE` when nobody could decide.
    pub(crate) async fn admit(&self, user: UserId) -> Result<Admitted> {
        let settings = &self.inner.settings;
        match self.inner.backend.admit(&user).await {
            Ok(()) => Ok(Admitted { inner: self.inner.clone(), user }),
            Err(Refused::Total) => Err(limit(format!(
                "the server is full: {} connections are the most it admits",
                settings.max_total_connections
            ))),
            Err(Refused::User) => {
                Err(limit(format!("a user has at most {} connections", settings.max_connections_per_client)))
            }
            Err(Refused::Backend(error)) => Err(error),
        }
    }

    /// Gives an admitted connection its outbox and makes it known.
    pub(crate) fn open(&self, admitted: &Admitted, shard: &Arc<crate::registry::Shard>, sink: Sink) -> Arc<Connection> {
        let registry = &self.inner.registry;
        let connection = shard.open(registry.next_id(), admitted.user.clone(), sink);
        let count = registry.register(&connection);
        self.inner.backend.record(Count::User(connection.user_id(), count));
        connection
    }

    /// Ends a connection: it is in no group, counted nowhere, and nothing can be sent to it any more.
    pub(crate) async fn end(&self, connection: &Arc<Connection>) {
        self.leave_all(connection).await;
        if let Some(left) = self.inner.registry.deregister(connection) {
            self.inner.backend.record(Count::User(connection.user_id(), left));
        }
    }
}

fn limit(message: String) -> Error {
    Error::limit(message).with_retry_after(Duration::from_secs(5)).with_close(CloseCode::Again)
}
