//! A connection's place: taken before the upgrade, given back when it ends.

use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::http::StatusCode;

use super::{ConnectionManager, ManagerInner};
use crate::auth::Access;
use crate::backend::{Admission, Backend, Refused};
use crate::error::{Error, Result};
use crate::id::{GroupName, UserId};
use crate::message::Codec;
use crate::metrics::RefusalReason;
use crate::registry::{Connection, GroupPermit, Shard, Sink};
use crate::settings::Settings;

/// When whoever met a bound may try again.
const RETRY: Duration = Duration::from_secs(5);

/// A place that was admitted; dropping it gives it back.
pub(crate) struct Admitted {
    inner: Arc<ManagerInner>,
    admission: Admission,
}

/// Gives a group's permit back when the registry drops it.
struct ReleaseGroup(Arc<dyn Backend>);

impl Drop for ReleaseGroup {
    fn drop(&mut self) {
        self.0.release_group();
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.inner.backend.release(&self.admission);
    }
}

impl ConnectionManager {
    /// Takes a place for a connection of `user` from `ip`.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED` when a bound is met, `BACKEND_UNAVAILABLE` when nobody could decide.
    pub(crate) async fn admit(&self, user: UserId, ip: Option<IpAddr>) -> Result<Admitted> {
        let counted = ip.filter(|_| self.inner.settings.max_connections_per_ip > 0);
        let (inner, admission) = (self.inner.clone(), Admission::new(user, counted));
        let admitted = to_its_end(async move {
            inner.backend.admit(&admission).await?;
            Ok(Admitted { inner, admission })
        });
        admitted.await.map_err(|refused| self.inner.refuse(refused))
    }

    /// Takes a place for a group that has no member on this node.
    ///
    /// # Errors
    /// As [`admit`](Self::admit).
    pub(super) async fn admit_group(&self) -> Result<GroupPermit> {
        let backend = self.inner.backend.clone();
        let admitted = to_its_end(async move {
            backend.admit_group().await?;
            Ok(GroupPermit::new(ReleaseGroup(backend)))
        });
        admitted.await.map_err(|refused| self.inner.refuse(refused))
    }

    /// Gives an admitted connection its outbox and makes it known.
    /// `consumer` is the number of its consumer.
    pub(crate) fn open(
        &self,
        access: Access,
        shard: &Arc<Shard>,
        codec: Codec,
        sink: Sink,
        consumer: usize,
    ) -> Arc<Connection> {
        let registry = &self.inner.registry;
        let meter = self.inner.metrics.meter(shard.index(), consumer);
        let connection = Connection::open(registry.next_id(), access, codec, shard, sink, meter);
        registry.register(&connection);
        connection.meter().opened();
        connection
    }

    /// Ends a connection: it is in no group, counted nowhere, and nothing can be sent to it any more. Returns the
    /// groups in which it made its user present, for [`exit_all`](Self::exit_all): that may wait for the backend.
    pub(crate) fn end(&self, connection: &Arc<Connection>) -> Vec<GroupName> {
        let present = self.leave_all(connection);
        self.inner.registry.deregister(connection);
        present
    }
}

/// Runs a decision to its end, also when whoever waits for it goes away meanwhile: what was taken after that would never
/// be given back. Most are made at once; only one that waits gets a task of its own.
async fn to_its_end<T: Send + 'static>(
    deciding: impl Future<Output = Result<T, Refused>> + Send + 'static,
) -> Result<T, Refused> {
    let mut deciding = Box::pin(deciding);
    if let Poll::Ready(decided) = poll_fn(|cx| Poll::Ready(deciding.as_mut().poll(cx))).await {
        return decided;
    }
    tokio::spawn(deciding).await.unwrap_or_else(|failed| Err(Refused::Backend(Error::internal(failed))))
}

impl ManagerInner {
    /// Counts a refusal, and says what the client hears of it.
    fn refuse(&self, refused: Refused) -> Error {
        self.metrics.refused(match refused {
            Refused::Total => RefusalReason::Total,
            Refused::User => RefusalReason::User,
            Refused::Ip => RefusalReason::Ip,
            Refused::Groups => RefusalReason::Groups,
            Refused::Backend(_) => RefusalReason::Backend,
        });
        self.limit(refused)
    }

    fn limit(&self, refused: Refused) -> Error {
        let Settings { max_total_connections, max_connections_per_client, max_connections_per_ip, .. } = *self.settings;
        let (message, status) = match refused {
            Refused::Backend(error) => return error,
            Refused::Total => (
                format!("the server is full: {max_total_connections} connections are the most it admits"),
                StatusCode::SERVICE_UNAVAILABLE,
            ),
            Refused::User => {
                (format!("a user has at most {max_connections_per_client} connections"), StatusCode::TOO_MANY_REQUESTS)
            }
            Refused::Ip => {
                (format!("an address has at most {max_connections_per_ip} connections"), StatusCode::TOO_MANY_REQUESTS)
            }
            Refused::Groups => (
                format!("there are at most {} groups in all", self.settings.max_total_groups),
                StatusCode::SERVICE_UNAVAILABLE,
            ),
        };
        Error::limit(message).with_status(status).with_retry_after(RETRY)
    }
}
