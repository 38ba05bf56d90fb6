//! The connection to Redis, shared by all calls: opened by the first call that needs it, dropped when it fails.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{error, fmt};

use agentcore::tokio::runtime::Handle;
use agentcore::tokio::sync::Mutex;
use agentcore::tokio::time::timeout;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, PushInfo, PushKind, RedisError, RedisResult, ServerErrorKind};

use super::scripts::LATE;
use crate::store::StoreError;

/// Maximum duration of a call, including the time to connect.
const CALL_TIMEOUT: Duration = Duration::from_secs(1);
/// Time in which a script must start; the rest of `CALL_TIMEOUT` is for its answer.
const SCRIPT_START_TIMEOUT: Duration = Duration::from_millis(750);

/// Runs calls on one connection, which it opens as needed.
#[derive(Debug)]
pub(super) struct LazyConnection {
    client: Client,
    /// The runtime that drives the connection. Calls come from workers of the framework, and a worker that is blocked
    /// by a handler must not block the calls of the others.
    runtime: Handle,
    open: Mutex<Option<OpenConnection>>,
}

#[derive(Clone, Debug)]
struct OpenConnection {
    connection: MultiplexedConnection,
    clock: RedisClock,
    /// Whether the server or the network has closed the connection.
    is_closed: Arc<AtomicBool>,
}

impl LazyConnection {
    /// Creates a connection that is opened by the first call, on the current runtime.
    pub(super) fn new(client: Client) -> Self {
        Self { client, runtime: Handle::current(), open: Mutex::new(None) }
    }

    /// Runs `work` on the connection. A connection that fails or was closed is dropped, and the next call opens a new one.
    pub(super) async fn call<T, F>(&self, work: impl FnOnce(Call) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let started = Instant::now();
        let mut used = None;
        let outcome = timeout(CALL_TIMEOUT, async {
            let open = self.open().await?;
            used = Some(open.clock);
            let deadline = open.clock.at(started + SCRIPT_START_TIMEOUT);
            work(Call { redis: open.connection, deadline }).await
        });
        let outcome = outcome.await;
        if outcome.as_ref().map_or(true, |result| result.as_ref().is_err_and(needs_new_connection))
            && let Some(used) = used
        {
            self.drop_connection(used);
        }
        match outcome {
            Ok(result) => Ok(result?),
            Err(_elapsed) => Err(StoreError::Unavailable(Arc::new(NoAnswer))),
        }
    }

    async fn open(&self) -> RedisResult<OpenConnection> {
        // Calls that arrive meanwhile wait for the same connection, each within its own timeout.
        let mut open = self.open.lock().await;
        if let Some(open) = &*open
            && !open.is_closed.load(Ordering::Acquire)
        {
            return Ok(open.clone());
        }
        let connecting = self.runtime.spawn(connect(self.client.clone()));
        let connected = connecting.await.map_err(|_ended| (ErrorKind::Client, "the connecting task has ended"))??;
        *open = Some(connected.clone());
        Ok(connected)
    }

    /// Drops the connection with this clock. Calls that still use it end by themselves.
    fn drop_connection(&self, used: RedisClock) {
        // If the lock is held, another call has found no connection and is opening one.
        if let Ok(mut open) = self.open.try_lock()
            && open.as_ref().is_some_and(|open| open.clock == used)
        {
            *open = None;
        }
    }
}

/// The connection and the deadline of one call.
pub(super) struct Call {
    pub(super) redis: MultiplexedConnection,
    /// Latest time at which a script may start, in milliseconds of Redis' clock.
    pub(super) deadline: u64,
}

/// Redis' clock, read when the connection was opened.
#[derive(Clone, Copy, Debug, PartialEq)]
struct RedisClock {
    time: Duration,
    received: Instant,
}

impl RedisClock {
    /// Estimates Redis' clock at `instant`, in milliseconds. The estimate is never ahead of the clock.
    fn at(&self, instant: Instant) -> u64 {
        // Redis read its clock before the answer arrived, so its clock is ahead of this sum.
        let time = self.time.saturating_add(instant.saturating_duration_since(self.received));
        u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
    }
}

async fn connect(client: Client) -> RedisResult<OpenConnection> {
    let is_closed = Arc::new(AtomicBool::new(false));
    let closed = is_closed.clone();
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CALL_TIMEOUT))
        .set_response_timeout(Some(CALL_TIMEOUT))
        .set_push_sender(move |push: PushInfo| -> Result<(), ()> {
            if push.kind == PushKind::Disconnection {
                closed.store(true, Ordering::Release);
            }
            Ok(())
        });
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    let (seconds, microseconds): (u64, u64) = redis::cmd("TIME").query_async(&mut connection).await?;
    let time = Duration::from_secs(seconds).saturating_add(Duration::from_micros(microseconds));
    Ok(OpenConnection { connection, clock: RedisClock { time, received: Instant::now() }, is_closed })
}

/// Returns whether a new connection may help. A script may be late because Redis' clock was set since it was read.
fn needs_new_connection(error: &RedisError) -> bool {
    error.is_unrecoverable_error()
        || error.is_io_error()
        || error.code() == Some(LATE)
        || matches!(error.kind(), ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown))
}

/// The cause of an error when Redis takes too long.
#[derive(Debug)]
struct NoAnswer;

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redis did not answer within {CALL_TIMEOUT:?}")
    }
}

impl error::Error for NoAnswer {}
