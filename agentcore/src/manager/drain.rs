//! Graceful shutdown of a node: no new connections, running handlers finish, then every client is asked to reconnect.
//!
//! The order ensures that no accepted message is lost. First no handler starts any more, then running handlers finish,
//! and only then are connections closed, so messages of handlers reach everyone who was connected.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::drain_state::ActiveGuard;
use super::inner::ConnectionManager;
use crate::error::{Error, ErrorCategory};
use crate::panic::log_anyway;
use crate::registry::{Closing, ConnectionHandle};

/// Time before the end of the shutdown at which running handlers are cancelled; at most half of the timeout.
const HANDLER_RESERVE: Duration = Duration::from_secs(2);
/// Time before the end of the shutdown at which running hooks are cancelled; at most a quarter of the timeout.
const HOOK_RESERVE: Duration = Duration::from_millis(500);
/// Longest timeout, far above that of `SHUTDOWN_TIMEOUT`. The clock of the system cannot add any duration.
const MAX_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// Number of connections that are closed at once.
const BATCH: usize = 500;
/// Longest pause between two batches.
const PAUSE: Duration = Duration::from_millis(50);
/// Interval at which the drain checks whether it can go on.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// Time that the backend gets for its shutdown even if the timeout has passed, so that it can notify other nodes.
const BACKEND_RESERVE: Duration = Duration::from_millis(100);

impl ConnectionManager {
    /// Shuts this node down gracefully. Returns when that is done, at most `SHUTDOWN_TIMEOUT` and 100 ms after the
    /// first call.
    ///
    /// From the call on, `/ready` and every upgrade answer 503 with `Retry-After`, and no handler starts. Running
    /// handlers finish, and their messages reach all recipients. Handlers that still run 2 seconds before the end (half
    /// of the time, if that is less) are cancelled: they are dropped at an await, and their client gets an error
    /// `RESTARTING`. Then connections are closed in batches with 1012; each close reason has its own random
    /// `retry_after_ms`, so that clients do not reconnect all at once. `#[on(disconnect)]` runs, presence ends,
    /// outboxes are written, and the backend stops.
    ///
    /// [`App::serve`](crate::App::serve) calls it. With a server of your own, call it before that server stops: axum's
    /// graceful shutdown does not track upgraded connections and would drop them.
    ///
    /// Further calls wait for the same shutdown.
    ///
    /// # Cancel safety
    /// If the future is dropped, the shutdown pauses where it is; another call resumes it.
    ///
    /// # Examples
    /// ```no_run
    /// # use agentcore::prelude::*;
    /// # #[consumer(path = "/ws")] struct Chat {}
    /// # #[consumer] impl Chat {}
    /// # use agentcore::tokio;
    /// #[agentcore::main]
    /// async fn main() -> Result<()> {
    ///     let app = AgentCore::from_env()?.consumer::<Chat>().build().await?;
    ///     let manager = app.manager();
    ///     let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await.internal()?;
    ///     agentcore::axum::serve(listener, app.into_router())
    ///         .with_graceful_shutdown(async move {
    ///             let _ = tokio::signal::ctrl_c().await;
    ///             // New requests are still answered meanwhile, upgrades with 503.
    ///             manager.shutdown().await;
    ///         })
    ///         .await
    ///         .internal()
    /// }
    /// ```
    pub async fn shutdown(&self) {
        self.shutdown_after(std::future::ready(())).await;
    }

    /// Like [`shutdown`](Self::shutdown), but closes no connection before `others` has completed or handlers are
    /// cancelled.
    pub(crate) async fn shutdown_after(&self, others: impl Future<Output = ()>) {
        self.inner.drain.done.get_or_init(|| self.run_drain(others)).await;
    }

    /// Returns why the node admits no connection at present.
    ///
    /// # Errors
    /// The reason: the node shuts down, or its backend cannot admit connections yet.
    pub(crate) fn readiness(&self) -> crate::error::Result<()> {
        if self.is_draining() { Err(self.restarting()) } else { self.inner.backend.readiness() }
    }

    /// Whether new connections are refused because the node shuts down.
    pub(crate) fn is_draining(&self) -> bool {
        self.inner.drain.is_draining()
    }

    /// Counts a connection that may start handlers. The connection calls it before it checks
    /// [`is_draining`](Self::is_draining): then either the connection sees the drain, or the drain sees the connection.
    pub(crate) fn active(&self) -> ActiveGuard {
        self.inner.drain.activate()
    }

    /// Waits until the drain lets a connection send its last frame.
    pub(crate) async fn permit_to_close(&self) {
        if let Ok(permit) = self.inner.drain.close_permits.acquire().await {
            permit.forget();
        }
    }

    /// Waits until disconnect hooks have no more time.
    pub(crate) async fn hook_deadline_passed(&self) {
        self.inner.drain.hook_deadline.cancelled().await;
    }

    /// The error for connections that a draining node refuses or closes, each with its own reconnect delay.
    pub(crate) fn restarting(&self) -> Error {
        let error = Error::new(ErrorCategory::Connection, "RESTARTING", "the server is restarting");
        self.inner.drain.with_retry_hint(error)
    }

    /// The error for the client of a cancelled handler.
    pub(crate) fn cancelled(&self, handler: &str) -> Error {
        let message =
            format!("the server is restarting and `{handler}` was cancelled: it may have done part of its work");
        self.inner.drain.with_retry_hint(Error::new(ErrorCategory::Timeout, "RESTARTING", message))
    }

    async fn run_drain(&self, others: impl Future<Output = ()>) {
        let drain = &self.inner.drain;
        let timeout = self.settings().shutdown_timeout.min(MAX_TIMEOUT);
        let end = Instant::now() + timeout;
        let hook_end = end - HOOK_RESERVE.min(timeout / 4);
        let sockets = self.open_sockets();
        drain.begin(sockets);
        log_anyway(|| tracing::info!(connections = sockets, ?timeout, "shutting down"));
        self.for_each(|connection| connection.close(Closing::Drain));

        let handlers_done = async { tokio::join!(others, wait_until(|| drain.active() == 0)) };
        if timeout_at(end - HANDLER_RESERVE.min(timeout / 2), handlers_done).await.is_err() {
            log_anyway(|| tracing::warn!(running = drain.active(), "cancelling the handlers that still run"));
            self.for_each(ConnectionHandle::cancel);
            let _ = timeout_at(hook_end, wait_until(|| drain.active() == 0)).await;
        }
        let closing = async {
            self.release_close_permits(end).await;
            wait_until(|| self.open_sockets() == 0).await;
        };
        let hooks = async {
            sleep_until(hook_end).await;
            drain.hook_deadline.cancel();
            sleep_until(end).await;
        };
        tokio::select! {
            () = closing => {}
            () = hooks => {}
        }
        drain.close_permits.close();
        let open = self.open_sockets();
        if open > 0 {
            log_anyway(|| {
                tracing::warn!(connections = open, "the shutdown timeout has passed with connections still open");
            });
        }
        let _ = timeout_at(end.max(Instant::now() + BACKEND_RESERVE), self.inner.backend.stop()).await;
    }

    /// Lets connections close in batches: a few at once, many spread over a part of the remaining time.
    async fn release_close_permits(&self, end: Instant) {
        let remaining = end.saturating_duration_since(Instant::now());
        let batches = self.open_sockets().div_ceil(BATCH);
        let pause = PAUSE.min(remaining.mul_f64(0.4) / u32::try_from(batches).unwrap_or(u32::MAX).max(1));
        for _ in 1..batches {
            self.inner.drain.close_permits.add_permits(BATCH);
            sleep(pause).await;
        }
        self.inner.drain.close_permits.close();
    }

    fn for_each(&self, act: impl Fn(&ConnectionHandle)) {
        self.registry().shards().iter().for_each(|shard| shard.for_each(&act));
    }
}

async fn wait_until(holds: impl Fn() -> bool) {
    while !holds() {
        sleep(POLL_INTERVAL).await;
    }
}
