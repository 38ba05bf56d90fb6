//! State of the connection manager.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use super::drain_state::DrainState;
use super::first_joins::FirstJoins;
use super::resync::PendingResyncs;
use crate::backend::{Backend, RateCheck, RateRequest};
use crate::id::NodeId;
use crate::metrics::{Metrics, Watchdog};
use crate::panic::catch_panic;
use crate::registry::{Connection, ConnectionRegistry};
use crate::settings::Settings;
use crate::supervise::Supervisor;
use crate::worker::Workers;

/// Sends to connections, users, groups and everyone across all nodes; joins, leaves and counts.
///
/// It is cheap to clone, and usable in handlers, in REST handlers (as the extractor `State<ConnectionManager>`) and in
/// any task. It may send any message: the `sends(..)` of a consumer does not apply to it.
#[derive(Clone)]
pub struct ConnectionManager {
    pub(super) inner: Arc<ManagerInner>,
}

/// Everything that the clones of a [`ConnectionManager`] share.
pub(super) struct ManagerInner {
    pub(super) node: NodeId,
    pub(super) settings: Arc<Settings>,
    pub(super) registry: ConnectionRegistry,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) supervisor: Supervisor,
    pub(super) drain: Arc<DrainState>,
    pub(super) first_joins: FirstJoins,
    pub(super) resyncs: PendingResyncs,
    pub(super) _watchdog: Watchdog,
    /// Their threads end when this is dropped.
    pub(super) _workers: Workers,
}

impl ConnectionManager {
    /// Returns the name of this node.
    #[must_use]
    pub fn node(&self) -> &NodeId {
        &self.inner.node
    }

    /// Returns the settings that this node was started with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Returns the supervisor of this node's background tasks. Applications may spawn their own on it; `/health`
    /// reports all of them.
    #[must_use]
    pub fn supervisor(&self) -> &Supervisor {
        &self.inner.supervisor
    }

    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.inner.metrics
    }

    pub(crate) fn registry(&self) -> &ConnectionRegistry {
        &self.inner.registry
    }

    /// Number of open sockets on this node, including connections that are being closed.
    pub(crate) fn open_sockets(&self) -> usize {
        self.inner.registry.shards().iter().map(|shard| shard.load()).sum()
    }

    /// Runs a task on the worker of a connection until the task or the connection ends.
    pub(crate) fn spawn_for(&self, connection: &Arc<Connection>, task: impl Future<Output = ()> + Send + 'static) {
        let id = connection.id();
        connection.spawn(async move {
            if catch_panic(task).await.is_err() {
                tracing::error!(connection = %id, "a task of the connection panicked");
            }
        });
    }

    /// Decides whether a message may pass its rate limits. The answer is an error if the backend cannot decide.
    pub(crate) fn check_rate(&self, request: &RateRequest<'_>) -> RateCheck {
        self.inner.backend.check_rate(request)
    }
}

impl fmt::Debug for ConnectionManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionManager").field("node", &self.inner.node).finish_non_exhaustive()
    }
}

impl Drop for ManagerInner {
    fn drop(&mut self) {
        self.supervisor.stop();
    }
}
