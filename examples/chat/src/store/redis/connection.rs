//! The connection to Redis: one for all calls, made when it is needed and given up when it does not answer.

use std::error;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agentcore::tokio::runtime::Handle;
use agentcore::tokio::sync::Mutex;
use agentcore::tokio::time::timeout;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, RedisResult, ServerErrorKind};

use super::scripts::LATE;
use crate::store::StoreError;

/// So long a call takes at most, connecting included.
const PATIENCE: Duration = Duration::from_secs(1);
/// Within this a script has begun, or does not any more. The rest is for its answer to come.
const BEGUN_WITHIN: Duration = Duration::from_millis(750);

/// Calls Redis.
#[derive(Debug)]
pub(super) struct Link {
    client: Client,
    /// Where the connection lives. A call may come from a worker of the framework, and one that is held by a handler must
    /// not hold the calls of the others.
    runtime: Handle,
    open: Mutex<Option<Open>>,
}

#[derive(Clone, Debug)]
struct Open {
    connection: MultiplexedConnection,
    clock: Clock,
}

impl Link {
    /// A link that connects with its first call, from the runtime that this is called on.
    pub(super) fn new(client: Client) -> Self {
        Self { client, runtime: Handle::current(), open: Mutex::new(None) }
    }

    /// Does `work` on the connection. A connection that fails is given up: the next call makes a new one.
    pub(super) async fn call<T, F>(&self, work: impl FnOnce(Call) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let begun = Instant::now();
        let mut used = None;
        let done = timeout(PATIENCE, async {
            let open = self.open().await?;
            used = Some(open.clock);
            let deadline = open.clock.at(begun + BEGUN_WITHIN);
            work(Call { redis: open.connection, deadline }).await
        });
        let done = done.await;
        if done.as_ref().map_or(true, |done| done.as_ref().is_err_and(is_of_the_connection))
            && let Some(used) = used
        {
            self.give_up(used);
        }
        match done {
            Ok(done) => Ok(done?),
            Err(_elapsed) => Err(StoreError::Unavailable(Arc::new(NoAnswer))),
        }
    }

    async fn open(&self) -> RedisResult<Open> {
        // Whoever comes meanwhile waits for the same connection, each no longer than its own call may take.
        let mut open = self.open.lock().await;
        if let Some(open) = &*open {
            return Ok(open.clone());
        }
        let connecting = self.runtime.spawn(connect(self.client.clone()));
        let connected = connecting.await.map_err(|_ended| (ErrorKind::Client, "the connecting task has ended"))??;
        *open = Some(connected.clone());
        Ok(connected)
    }

    /// Forgets the connection whose clock this is; calls that still use it come to their own ends.
    fn give_up(&self, used: Clock) {
        // Who holds the lock for more than a moment has found no connection, and makes one.
        if let Ok(mut open) = self.open.try_lock()
            && open.as_ref().is_some_and(|open| open.clock == used)
        {
            *open = None;
        }
    }
}

/// A call that has its connection.
pub(super) struct Call {
    pub(super) redis: MultiplexedConnection,
    /// Until when a script may begin, in milliseconds of Redis' clock.
    pub(super) deadline: u64,
}

/// What Redis' clock said when the connection was made.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Clock {
    said: Duration,
    heard: Instant,
}

impl Clock {
    /// What Redis' clock says at a moment, in milliseconds; rather too little than too much.
    fn at(&self, moment: Instant) -> u64 {
        // Redis read its clock before the answer was heard, so at this moment it is at least so late there.
        let then = self.said + moment.saturating_duration_since(self.heard);
        u64::try_from(then.as_millis()).unwrap_or(u64::MAX)
    }
}

async fn connect(client: Client) -> RedisResult<Open> {
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    let (seconds, microseconds): (u64, u64) = redis::cmd("TIME").query_async(&mut connection).await?;
    let said = Duration::from_secs(seconds) + Duration::from_micros(microseconds);
    Ok(Open { connection, clock: Clock { said, heard: Instant::now() } })
}

/// Whether a new connection may help. A script that was late may have been told the time by a clock that was set since.
fn is_of_the_connection(error: &RedisError) -> bool {
    error.is_unrecoverable_error()
        || error.is_io_error()
        || error.code() == Some(LATE)
        || matches!(error.kind(), ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown))
}

/// The cause when Redis takes too long.
#[derive(Debug)]
struct NoAnswer;

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redis has not answered within {PATIENCE:?}")
    }
}

impl error::Error for NoAnswer {}
