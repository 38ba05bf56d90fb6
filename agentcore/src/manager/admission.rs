//! A connection's place: taken before the upgrade, given back when it ends.

use std::sync::Arc;
use std::time::Duration;

use super::{ConnectionManager, Inner};
use crate::backend::{Count, Refused};
use crate::error::{CloseCode, Error, Result};
use crate::id::{GroupName, UserId};
use crate::metrics::Bound;
use crate::registry::{Connection, Shard, Sink};

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
        // In a task of its own: a client that goes away while the backend decides drops this future, and what was
        // decided after that would never be given back.
        let inner = self.inner.clone();
        let admitting = tokio::spawn(async move {
            inner.backend.admit(&user).await?;
            Ok(Admitted { inner, user })
        });
        let admitted = admitting.await.unwrap_or_else(|failed| Err(Refused::Backend(Error::internal(failed))));
        if let Err(refused) = &admitted {
            self.inner.metrics.refused(match refused {
                Refused::Total => Bound::Total,
                Refused::User => Bound::User,
                Refused::Backend(_) => Bound::Backend,
            });
        }
        match admitted {
            Ok(admitted) => Ok(admitted),
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
    /// `consumer` is the number of its consumer.
    pub(crate) fn open(&self, admitted: &Admitted, shard: &Arc<Shard>, sink: Sink, consumer: usize) -> Arc<Connection> {
        let registry = &self.inner.registry;
        let meter = self.inner.metrics.meter(shard.index(), consumer);
        let connection = shard.open(registry.next_id(), admitted.user.clone(), sink, meter);
        registry.register(&connection);
        connection.meter().opened();
        self.inner.backend.record(Count::User(connection.user_id()));
        connection
    }

    /// Ends a connection: it is in no group, counted nowhere, and nothing can be sent to it any more. Returns the
    /// groups in which it made its user present, for [`exit_all`](Self::exit_all): that may wait for the backend.
    pub(crate) fn end(&self, connection: &Arc<Connection>) -> Vec<GroupName> {
        let present = self.leave_all(connection);
        if self.inner.registry.deregister(connection) {
            self.inner.backend.record(Count::User(connection.user_id()));
        }
        present
    }
}

fn limit(message: String) -> Error {
    Error::limit(message).with_retry_after(Duration::from_secs(5)).with_close(CloseCode::Again)
}
