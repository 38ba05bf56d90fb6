//! Start of a node.

use std::io;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::drain_state::DrainState;
use super::first_joins::FirstJoins;
use super::inner::{ConnectionManager, ManagerInner};
use super::local_delivery::LocalDelivery;
use super::resync::PendingResyncs;
use crate::backend::{AdmissionLimits, Backend, Node};
use crate::error::{Error, Result};
use crate::metrics::{Labels, Metrics, Watchdog};
use crate::registry::{ConnectionRegistry, Heartbeat, OutboxLimits, ShardSettings};
use crate::settings::Settings;
use crate::supervise::Supervisor;
use crate::worker::Workers;

impl ConnectionManager {
    /// Starts the workers and the backend.
    ///
    /// # Errors
    /// Returns an error if there is no tokio runtime, the worker threads cannot be started or the backend cannot be reached.
    pub(crate) async fn start(settings: Arc<Settings>, backend: Arc<dyn Backend>, labels: Labels) -> Result<Self> {
        if Handle::try_current().is_err() {
            return Err(Error::start(
                "the application must be built on a tokio runtime: use `#[agentcore::main]` or `#[tokio::main]`",
            ));
        }
        let supervisor = Supervisor::new();
        let metrics = Arc::new(Metrics::new(labels, settings.workers, supervisor.clone()));
        let outbox = OutboxLimits { max_bytes: settings.ws_max_outbox_bytes, write_timeout: settings.ws_write_timeout };
        let heartbeat = settings.heartbeat().map(|(interval, timeout)| Heartbeat { interval, timeout });
        let shards = ShardSettings { outbox, heartbeat };
        let workers = Workers::start(settings.workers, shards, &supervisor).map_err(no_threads)?;
        let incarnation = uuid::Uuid::new_v4().as_u64_pair().0;
        let id = settings.node_id();
        let limits = AdmissionLimits {
            total: settings.max_total_connections,
            per_user: settings.max_connections_per_client,
            per_ip: settings.max_connections_per_ip,
            groups: settings.max_total_groups,
        };
        let manager = Self {
            inner: Arc::new(ManagerInner {
                node: id.clone(),
                settings,
                registry: ConnectionRegistry::new(incarnation, workers.shards()),
                backend: backend.clone(),
                drain: Arc::new(DrainState::default()),
                first_joins: FirstJoins::default(),
                resyncs: PendingResyncs::default(),
                _watchdog: Watchdog::start(metrics.clone()).map_err(no_threads)?,
                metrics,
                supervisor: supervisor.clone(),
                _workers: workers,
            }),
        };
        let deliver = Arc::new(LocalDelivery(Arc::downgrade(&manager.inner)));
        backend.start(Node { id, incarnation, limits, supervisor }, deliver).await?;
        manager.log_stats();
        Ok(manager)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that `map_err` expects")]
fn no_threads(error: io::Error) -> Error {
    Error::start(format!("cannot start the worker threads: {error}"))
}
