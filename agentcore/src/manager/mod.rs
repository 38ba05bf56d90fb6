//! The connection manager: the one place where the registry of this node and the backend to the others meet.
//!
//! It sends, joins and leaves, counts, admits and ends connections. It does not read from sockets, run handlers or
//! speak HTTP.

mod admission;
mod batches;
mod drain;
mod groups;
mod members;
mod report;
mod resync;
mod route;
mod sending;

pub use crate::registry::{Connection, ConnectionInfo, Metadata};
pub(crate) use admission::Admitted;
pub use batches::Batches;
pub(crate) use drain::ActiveGuard;
pub(crate) use groups::PresenceMessages;
pub use members::{Disconnected, Listing, Stats};
pub use sending::{AnyConsumer, Confirmed, Sending, SentBy, To};

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::backend::{AdmissionLimits, Backend, Node, RateCheck, RateRequest};
use crate::error::{Error, Result};
use crate::id::{ConnectionId, GroupName, NodeId, UserId};
use crate::message::Recipient;
use crate::metrics::{Labels, Metrics, Watchdog};
#[cfg(feature = "metrics")]
use crate::metrics::{NodeMetrics, OutboxMetrics};
use crate::panic::catch_panic;
use crate::registry::{ConnectionRegistry, Heartbeat, OutboxLimits, ShardSettings};
use crate::settings::Settings;
use crate::supervise::Supervisor;
use crate::worker::Workers;

/// Sends to connections, users, groups and everyone, over all nodes; joins, leaves and counts.
///
/// A cheap clone, usable from handlers, from REST handlers (as the extractor `State<ConnectionManager>`) and from any
/// task. Its sends are not checked against the `sends(..)` of a consumer.
#[derive(Clone)]
pub struct ConnectionManager {
    inner: Arc<ManagerInner>,
}

struct ManagerInner {
    node: NodeId,
    settings: Arc<Settings>,
    registry: ConnectionRegistry,
    backend: Arc<dyn Backend>,
    metrics: Arc<Metrics>,
    supervisor: Supervisor,
    drain: drain::Drain,
    _watchdog: Watchdog,
    first_joins: groups::FirstJoins,
    resyncs: resync::PendingResyncs,
    /// Their threads end with the manager.
    _workers: Workers,
}

impl Drop for ManagerInner {
    fn drop(&mut self) {
        self.supervisor.stop();
    }
}

impl fmt::Debug for ConnectionManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionManager").field("node", &self.inner.node).finish_non_exhaustive()
    }
}

impl ConnectionManager {
    /// Starts the workers and the backend.
    pub(crate) async fn start(settings: Arc<Settings>, backend: Arc<dyn Backend>, labels: Labels) -> Result<Self> {
        let supervisor = Supervisor::new();
        let metrics = Arc::new(Metrics::new(labels, settings.workers, supervisor.clone()));
        let outbox = OutboxLimits { max_bytes: settings.ws_max_outbox_bytes, write_timeout: settings.ws_write_timeout };
        let heartbeat = settings.heartbeat().map(|(interval, timeout)| Heartbeat { interval, timeout });
        let shards = ShardSettings { outbox, heartbeat };
        let workers = Workers::start(settings.workers, shards, &supervisor).map_err(no_threads)?;
        let incarnation = rand_u64();
        let node = settings.node_id();
        let manager = Self {
            inner: Arc::new(ManagerInner {
                node: node.clone(),
                registry: ConnectionRegistry::new(incarnation, workers.shards()),
                settings: settings.clone(),
                backend: backend.clone(),
                drain: drain::Drain::default(),
                _watchdog: Watchdog::start(metrics.clone()).map_err(no_threads)?,
                metrics,
                supervisor: supervisor.clone(),
                first_joins: groups::FirstJoins::default(),
                resyncs: resync::PendingResyncs::default(),
                _workers: workers,
            }),
        };
        let limits = AdmissionLimits {
            total: settings.max_total_connections,
            per_user: settings.max_connections_per_client,
            per_ip: settings.max_connections_per_ip,
            groups: settings.max_total_groups,
        };
        let deliver = Arc::new(route::LocalDelivery(Arc::downgrade(&manager.inner)));
        backend.start(Node { id: node, incarnation, limits, supervisor }, deliver).await?;
        manager.log_stats();
        Ok(manager)
    }

    /// The name of this node.
    #[must_use]
    pub fn node(&self) -> &NodeId {
        &self.inner.node
    }

    /// The counts of this node.
    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.inner.metrics
    }

    /// The background tasks of this node; tasks of the application may join them, and show in `/health` too.
    #[must_use]
    pub fn supervisor(&self) -> &Supervisor {
        &self.inner.supervisor
    }

    /// What this node holds, for the figures.
    #[cfg(feature = "metrics")]
    pub(crate) fn node_metrics(&self) -> NodeMetrics {
        let registry = self.registry();
        NodeMetrics {
            node: self.inner.node.to_string(),
            connections: registry.connection_count(),
            users: registry.user_count(),
            groups: registry.directory().len(),
            draining: self.is_draining(),
            outboxes: outbox_metrics(&registry.stats()),
            backend: self.inner.backend.events(),
        }
    }

    /// The settings it was started with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// One connection, on whichever node.
    pub fn connection(&self, id: ConnectionId) -> To<'_, AnyConsumer> {
        To::new(self, Ok(Recipient::Connection(id)), None)
    }

    /// All connections of a user.
    pub fn user<U: TryInto<UserId, Error: Into<Error>>>(&self, user: U) -> To<'_, AnyConsumer> {
        To::new(self, user.try_into().map(Recipient::User).map_err(Into::into), None)
    }

    /// All connections in a group.
    pub fn group<G: TryInto<GroupName, Error: Into<Error>>>(&self, group: G) -> To<'_, AnyConsumer> {
        To::new(self, group.try_into().map(Recipient::Group).map_err(Into::into), None)
    }

    /// All connections of all nodes.
    pub fn everyone(&self) -> To<'_, AnyConsumer> {
        To::new(self, Ok(Recipient::Everyone), None)
    }

    /// How many sockets are open on this node: its connections, and those whose end is on its way to the client.
    pub(crate) fn open_sockets(&self) -> usize {
        self.inner.registry.shards().iter().map(|shard| shard.load()).sum()
    }

    /// Runs a task on the worker of a connection, until it ends or the connection does.
    pub(crate) fn spawn_for(&self, connection: &Arc<Connection>, task: impl Future<Output = ()> + Send + 'static) {
        let id = connection.id();
        let guarded = async move {
            if catch_panic(task).await.is_err() {
                tracing::error!(connection = %id, "a task of the connection panicked");
            }
        };
        connection.spawn(guarded);
    }

    /// Decides whether a message may pass; an error when the backend cannot.
    pub(crate) fn check_rate(&self, request: &RateRequest<'_>) -> RateCheck {
        self.inner.backend.check_rate(request)
    }

    pub(crate) fn registry(&self) -> &ConnectionRegistry {
        &self.inner.registry
    }
}

/// What the shards have counted, under the names of the figures.
#[cfg(feature = "metrics")]
fn outbox_metrics(tally: &crate::registry::ShardStats) -> OutboxMetrics {
    let by_type = tally.by_type().map(|(name, sent)| (name.to_owned(), sent.messages, sent.bytes));
    OutboxMetrics {
        outbox_bytes: tally.outbox_bytes,
        sent: by_type.collect(),
        dropped: vec![
            ("drop_newest", tally.dropped.newest),
            ("drop_oldest", tally.dropped.oldest),
            ("latest", tally.dropped.latest),
        ],
        replaced: tally.dropped.replaced,
        slow_disconnects: tally.slow,
        heartbeat_reaps: tally.reaped,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
fn no_threads(error: std::io::Error) -> Error {
    Error::start(format!("the worker threads cannot be started: {error}"))
}

fn rand_u64() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}
