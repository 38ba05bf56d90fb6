//! The end of a node: nobody new, handlers to their end, then every connection told to reconnect elsewhere.
//!
//! The order is what keeps the promise that nothing accepted is lost: first no handler starts any more, then those that
//! run end, and only then are connections closed. So whatever a handler sends reaches everyone who was there.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OnceCell, Semaphore};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{ConnectionManager, ManagerInner, rand_u64};
use crate::error::{CloseCode, Error, ErrorCategory};
use crate::registry::{Closing, ConnectionHandle};

/// Handlers that still run so long before the end are cancelled.
const CANCEL: Duration = Duration::from_secs(2);
/// Hooks that still run so long before the end are cancelled.
const LAST_CALL: Duration = Duration::from_millis(500);
/// How many connections are closed at once, and how long the pause between two batches is at most.
const BATCH: usize = 500;
const PAUSE: Duration = Duration::from_millis(50);
/// Clients come back after this time and a random part of the spread.
const RETRY_AFTER: u64 = 500;
/// The spread grows by a millisecond with each connection: a thousand come back in a second.
const SPREAD: std::ops::RangeInclusive<u64> = 1_000..=60_000;
/// How often the drain looks whether it can go on.
const LOOK: Duration = Duration::from_millis(5);

/// How far the end of a node has come.
#[derive(Debug)]
pub(super) struct Drain {
    draining: AtomicBool,
    /// Connections that may start a handler, or are running one.
    active: AtomicUsize,
    /// Lets connections through to their last frame, batch by batch.
    gate: Semaphore,
    spread_ms: AtomicU64,
    /// Cancelled when hooks have no more time.
    last_call: CancellationToken,
    done: OnceCell<()>,
}

impl Default for Drain {
    fn default() -> Self {
        Self {
            draining: AtomicBool::new(false),
            active: AtomicUsize::new(0),
            gate: Semaphore::new(0),
            spread_ms: AtomicU64::new(*SPREAD.start()),
            last_call: CancellationToken::new(),
            done: OnceCell::new(),
        }
    }
}

/// A connection that may start handlers; the drain waits until there is none.
pub(crate) struct ActiveGuard(Arc<ManagerInner>);

impl Drop for ActiveGuard {
    fn drop(&mut self) {
        self.0.drain.active.fetch_sub(1, Ordering::SeqCst);
    }
}

impl fmt::Debug for ActiveGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ActiveGuard")
    }
}

impl ConnectionManager {
    /// Ends this node gracefully; returns when it is over, at most `SHUTDOWN_TIMEOUT` after the first call.
    ///
    /// From the call on, `/ready` and every upgrade answer 503 with `Retry-After`, and no handler starts. Handlers that
    /// run go on to their end, and what they send reaches everyone it is for; those that still run 2 s before the end
    /// are cancelled: dropped at an await, with an error `RESTARTING` to their client. Then connections are closed in
    /// batches with 1012, each with a `retry_after_ms` of its own in the reason, so that clients do not come back all at
    /// once. `#[on(disconnect)]` runs, presence ends, what waits in outboxes is written, and the backend stops.
    ///
    /// [`App::serve`](crate::App::serve) calls it. With a server of one's own, call it before that server ends: axum's
    /// graceful shutdown does not know connections that were upgraded, and would forget them.
    ///
    /// A second call waits for the same end.
    ///
    /// # Cancel safety
    /// Dropped before its end, the node stays as far as it has come; another call goes on from there.
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
    ///             // New requests are still answered meanwhile: those for an upgrade with 503.
    ///             manager.shutdown().await;
    ///         })
    ///         .await
    ///         .internal()
    /// }
    /// ```
    pub async fn shutdown(&self) {
        self.shutdown_after(std::future::ready(())).await;
    }

    /// As [`shutdown`](Self::shutdown); connections are not closed before `others` has ended, or handlers would be
    /// cancelled.
    pub(crate) async fn shutdown_after(&self, others: impl Future<Output = ()>) {
        self.inner.drain.done.get_or_init(|| self.run_drain(others)).await;
    }

    /// Whether nobody new is let in any more.
    pub(crate) fn is_draining(&self) -> bool {
        self.inner.drain.draining.load(Ordering::SeqCst)
    }

    /// Counts a connection that may start handlers. To be asked for before [`is_draining`](Self::is_draining): either
    /// the connection sees that it must not start any, or the drain sees the connection.
    pub(crate) fn active(&self) -> ActiveGuard {
        self.inner.drain.active.fetch_add(1, Ordering::SeqCst);
        ActiveGuard(self.inner.clone())
    }

    /// Waits until a connection may be told of the end.
    pub(crate) async fn turn_to_close(&self) {
        if let Ok(permit) = self.inner.drain.gate.acquire().await {
            permit.forget();
        }
    }

    /// Ends when hooks have no more time.
    pub(crate) async fn last_call(&self) {
        self.inner.drain.last_call.cancelled().await;
    }

    /// The refusal of a node that is about to end, each with a hint of its own when to come back.
    pub(crate) fn restarting(&self) -> Error {
        self.hinted(Error::new(ErrorCategory::Connection, "RESTARTING", "the server is restarting"))
    }

    /// What the client of a handler hears that was cancelled.
    pub(crate) fn cancelled(&self, what: &str) -> Error {
        let message =
            format!("the server is restarting, and `{what}` had not ended: it may have done some of its work");
        self.hinted(Error::new(ErrorCategory::Timeout, "RESTARTING", message))
    }

    fn hinted(&self, error: Error) -> Error {
        let spread = self.inner.drain.spread_ms.load(Ordering::Relaxed);
        let after = RETRY_AFTER + rand_u64() % spread;
        error.with_retry_after(Duration::from_millis(after)).with_close(CloseCode::Restart)
    }

    async fn run_drain(&self, others: impl Future<Output = ()>) {
        let drain = &self.inner.drain;
        let window = self.settings().shutdown_timeout;
        let end = Instant::now() + window;
        let sockets = self.open_sockets();
        drain.spread_ms.store((sockets as u64).clamp(*SPREAD.start(), *SPREAD.end()), Ordering::Relaxed);
        drain.draining.store(true, Ordering::SeqCst);
        tracing::info!(connections = sockets, ?window, "the node is about to end");
        self.for_each(|connection| connection.close(Closing::Drain));

        let cancel_at = end - CANCEL.min(window / 2);
        let quiet = async { tokio::join!(others, self.until(|| drain.active.load(Ordering::SeqCst) == 0)) };
        if timeout_at(cancel_at, quiet).await.is_err() {
            let running = drain.active.load(Ordering::SeqCst);
            tracing::warn!(running, "handlers that still run are cancelled");
            self.for_each(ConnectionHandle::cancel);
            let dropped = self.until(|| drain.active.load(Ordering::SeqCst) == 0);
            let _ = timeout_at(end - LAST_CALL.min(window / 4), dropped).await;
        }
        let closing = async {
            self.open_gate(end).await;
            self.until(|| self.open_sockets() == 0).await;
        };
        let hooks = async {
            sleep_until(end - LAST_CALL.min(window / 4)).await;
            drain.last_call.cancel();
            sleep_until(end).await;
        };
        tokio::select! {
            () = closing => {}
            () = hooks => {}
        }
        drain.gate.close();
        let left = self.open_sockets();
        if left > 0 {
            tracing::warn!(connections = left, "the time is over; these connections have not ended");
        }
        // Also when nothing of the time is left: what the backend says to others must have its chance.
        let _ = timeout_at(end.max(Instant::now() + LOOK * 20), self.inner.backend.stop()).await;
    }

    /// Lets connections through in batches: a few at once, many over a part of what is left of the time.
    async fn open_gate(&self, end: Instant) {
        let left = end.saturating_duration_since(Instant::now());
        let batches = self.open_sockets().div_ceil(BATCH);
        let pause = PAUSE.min(left.mul_f64(0.4) / u32::try_from(batches).unwrap_or(u32::MAX).max(1));
        for _ in 1..batches {
            self.inner.drain.gate.add_permits(BATCH);
            sleep(pause).await;
        }
        self.inner.drain.gate.close();
    }

    fn for_each(&self, act: impl Fn(&ConnectionHandle)) {
        self.registry().shards().iter().for_each(|shard| shard.for_each(&act));
    }

    async fn until(&self, holds: impl Fn() -> bool) {
        while !holds() {
            sleep(LOOK).await;
        }
    }
}
