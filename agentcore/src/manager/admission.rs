//! Admission of connections and groups, and the opening and ending of connections.

use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::http::StatusCode;

use super::inner::{ConnectionManager, ManagerInner};
use crate::auth::Access;
use crate::backend::{Admission, Backend, Refused};
use crate::error::{Error, Result};
use crate::id::{GroupName, UserId};
use crate::message::Codec;
use crate::metrics::RefusalReason;
use crate::registry::{Connection, GroupPermit, Shard, Sink};
use crate::settings::Settings;

/// Delay after which a refused client may retry.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The admission of a connection. Dropping it releases the admission.
pub(crate) struct Admitted {
    inner: Arc<ManagerInner>,
    admission: Admission,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.inner.backend.release(&self.admission);
    }
}

/// Content of a [`GroupPermit`]. Dropping it releases the admission of the group.
struct AdmittedGroup(Arc<dyn Backend>);

impl Drop for AdmittedGroup {
    fn drop(&mut self) {
        self.0.release_group();
    }
}

impl ConnectionManager {
    /// Admits a connection of `user` from `ip`.
    ///
    /// # Errors
    /// Returns `LIMIT_EXCEEDED` if a limit is reached, `BACKEND_UNAVAILABLE` if the backend cannot decide.
    pub(crate) async fn admit(&self, user: UserId, ip: Option<IpAddr>) -> Result<Admitted> {
        let limited_ip = ip.filter(|_| self.inner.settings.max_connections_per_ip > 0);
        let (inner, admission) = (self.inner.clone(), Admission::new(user, limited_ip));
        let admitted = run_to_completion(async move {
            inner.backend.admit(&admission).await?;
            Ok(Admitted { inner, admission })
        });
        admitted.await.map_err(|refused| self.inner.refuse(refused))
    }

    /// Admits a group that has no member on this node.
    ///
    /// # Errors
    /// Same as [`admit`](Self::admit).
    pub(super) async fn admit_group(&self) -> Result<GroupPermit> {
        let backend = self.inner.backend.clone();
        let admitted = run_to_completion(async move {
            backend.admit_group().await?;
            Ok(GroupPermit::new(AdmittedGroup(backend)))
        });
        admitted.await.map_err(|refused| self.inner.refuse(refused))
    }

    /// Opens an admitted connection on `shard` and registers it. `consumer` is the index of its consumer.
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

    /// Ends a connection: removes it from all groups and counts, so that nothing can be sent to it. Returns the groups
    /// in which it made its user present, for [`exit_all`](Self::exit_all), which may wait for the backend.
    pub(crate) fn end(&self, connection: &Arc<Connection>) -> Vec<GroupName> {
        let present = self.leave_all(connection);
        self.inner.registry.deregister(connection);
        present
    }
}

impl ManagerInner {
    /// Counts a refusal and turns it into the client's error.
    fn refuse(&self, refused: Refused) -> Error {
        self.metrics.refused(match refused {
            Refused::Total => RefusalReason::Total,
            Refused::User => RefusalReason::User,
            Refused::Ip => RefusalReason::Ip,
            Refused::Groups => RefusalReason::Groups,
            Refused::Backend(_) => RefusalReason::Backend,
        });
        self.limit_error(refused)
    }

    fn limit_error(&self, refused: Refused) -> Error {
        let Settings { max_total_connections, max_connections_per_client, max_connections_per_ip, .. } = *self.settings;
        let (message, status) = match refused {
            Refused::Backend(error) => return error,
            Refused::Total => (
                format!("the server is full: it admits at most {max_total_connections} connections"),
                StatusCode::SERVICE_UNAVAILABLE,
            ),
            Refused::User => {
                (format!("a user has at most {max_connections_per_client} connections"), StatusCode::TOO_MANY_REQUESTS)
            }
            Refused::Ip => {
                (format!("an address has at most {max_connections_per_ip} connections"), StatusCode::TOO_MANY_REQUESTS)
            }
            Refused::Groups => (
                format!("there are at most {} groups in total", self.settings.max_total_groups),
                StatusCode::SERVICE_UNAVAILABLE,
            ),
        };
        Error::limit(message).with_status(status).with_retry_after(RETRY_AFTER)
    }
}

/// Runs an admission to completion even if the caller is dropped: nobody would release an admission made after that.
/// Most admissions complete at the first poll; only those that do not get a task of their own.
async fn run_to_completion<T: Send + 'static>(
    admission: impl Future<Output = Result<T, Refused>> + Send + 'static,
) -> Result<T, Refused> {
    let mut admission = Box::pin(admission);
    if let Poll::Ready(result) = poll_fn(|cx| Poll::Ready(admission.as_mut().poll(cx))).await {
        return result;
    }
    tokio::spawn(admission).await.unwrap_or_else(|failed| Err(Refused::Backend(Error::internal(failed))))
}
