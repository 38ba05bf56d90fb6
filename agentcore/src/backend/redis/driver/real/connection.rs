//! One connection to Redis: how it is opened, and what its failures mean.

use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, IntoConnectionInfo, Pipeline, ProtocolVersion,
    RedisError, Script, ServerErrorKind, Value,
};

use super::super::RedisRefusal;
use crate::error::{Error, Result};

/// Opening a link, and each call on it, ends within this, by the time in which this process runs.
const TIMEOUT: Duration = Duration::from_secs(1);
/// The steps in which that time is counted.
const STEPS: u32 = 20;

/// So much of what waits to be sent goes to the socket at once.
const SEND_AT_ONCE: usize = 256 << 10;

/// Reads a URL. The protocol is always RESP3, whatever the URL says: it alone brings pushes and answers on one connection.
///
/// # Errors
/// When it says no server, or one that this build cannot reach. The text has nothing of the URL, which may have a password.
pub(super) fn client(url: &str) -> Result<Client> {
    let secured = ["rediss:", "valkeys:"].iter().any(|scheme| url.starts_with(scheme));
    if secured && !cfg!(feature = "redis-tls") {
        return Err(Error::start("a `rediss://` URL needs the cargo feature `redis-tls` of agentcore"));
    }
    #[cfg(feature = "redis-tls")]
    if secured {
        // Whoever has chosen the process' provider of cryptography has chosen ours; it fails only then.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
    let info = url.into_connection_info().map_err(|_| unreadable())?;
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    // Both are off by default. The keepalive finds a dead peer while nothing is sent; nobody waits for it otherwise.
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(10)).with_interval(Duration::from_secs(5));
    let tcp = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
    let info: ConnectionInfo = info.set_redis_settings(settings).set_tcp_settings(tcp);
    Client::open(info).map_err(|_| unreadable())
}

fn unreadable() -> Error {
    Error::start("the URL of Redis cannot be read; it must be `redis://[user[:password]@]host[:port][/database]`")
}

/// What a link is opened with.
pub(super) fn config() -> AsyncConnectionConfig {
    // Both limits are kept here, see `within`.
    AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_write_backpressure_boundary(SEND_AT_ONCE)
}

/// An open connection. Dropping it closes it.
pub(super) struct RedisConnection {
    connection: MultiplexedConnection,
    /// The first failure that leaves unknown what was done: from then on an answer could belong to anything.
    dead: OnceLock<RedisError>,
}

impl RedisConnection {
    /// Connects, and says who we are.
    pub(super) async fn open(client: &Client, config: &AsyncConnectionConfig) -> Result<Self> {
        let opened = within(client.get_multiplexed_async_connection_with_config(config)).await;
        Ok(Self { connection: opened.map_err(failed)?, dead: OnceLock::new() })
    }

    /// Calls a command, and returns its answer.
    pub(super) async fn call(&self, command: &Cmd) -> Result<Value> {
        self.try_call(command).await.map_err(failed)
    }

    /// Calls commands in one round trip. Their answers may be errors.
    pub(super) async fn call_all(&self, commands: &Pipeline) -> Result<Vec<Value>> {
        self.alive().map_err(failed)?;
        let called = within(self.connection.clone().send_packed_commands(commands, 0, commands.len())).await;
        self.judged(called).map_err(failed)
    }

    /// Calls a script by its hash, and sends it when Redis does not know it: at first, and after a restart.
    pub(super) async fn run(&self, script: &Script, command: &Cmd) -> Result<Value> {
        match self.try_call(command).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                let loaded = within(script.load_async(&mut self.connection.clone())).await;
                self.judged(loaded).map_err(failed)?;
                self.call(command).await
            }
            called => called.map_err(failed),
        }
    }

    /// Ends when messages arrive on the channels.
    pub(super) async fn subscribe(&self, channels: Vec<String>) -> Result<()> {
        self.alive().map_err(failed)?;
        let done = within(self.connection.clone().subscribe(channels)).await;
        self.judged(done).map_err(failed)
    }

    /// Ends when none arrives any more.
    pub(super) async fn unsubscribe(&self, channels: Vec<String>) -> Result<()> {
        self.alive().map_err(failed)?;
        let done = within(self.connection.clone().unsubscribe(channels)).await;
        self.judged(done).map_err(failed)
    }

    /// Whether the other side is there, and serves. A refusal is a sign of life: a Redis that cannot write its snapshot
    /// answers so, and carries messages all the same.
    pub(super) async fn ping(&self) -> Result<()> {
        match self.try_call(&redis::cmd("PING")).await {
            Err(error) if is_dead(&error) || serves_nothing(&error) => Err(failed(error)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    async fn try_call(&self, command: &Cmd) -> Result<Value, RedisError> {
        self.alive()?;
        let called = within(command.query_async::<Value>(&mut self.connection.clone())).await;
        self.judged(called)
    }

    fn alive(&self) -> Result<(), RedisError> {
        match self.dead.get() {
            // Whoever asks later hears why, not only that.
            Some(cause) => Err(cause.clone()),
            None => Ok(()),
        }
    }

    fn judged<T>(&self, called: Result<T, RedisError>) -> Result<T, RedisError> {
        called.inspect_err(|error| {
            if is_dead(error) {
                let _ = self.dead.set(error.clone());
            }
        })
    }
}

/// Whether a link that met this is of no more use.
fn is_dead(error: &RedisError) -> bool {
    match error.kind() {
        // It has become a replica: whoever opens another link finds the master.
        ErrorKind::Server(ServerErrorKind::ReadOnly) => true,
        ErrorKind::Server(_) | ErrorKind::Extension => false,
        _ => true,
    }
}

/// Whether a server that answers so is none: it reads its file, waits for its master, or does not know us.
fn serves_nothing(error: &RedisError) -> bool {
    let kind = error.kind();
    matches!(kind, ErrorKind::Server(ServerErrorKind::BusyLoading | ServerErrorKind::MasterDown))
        || matches!(error.code(), Some("NOAUTH" | "WRONGPASS"))
}

/// Waits for an answer, for [`TIMEOUT`]. A process that gets no CPU cannot read what has come, and must not take its own
/// pause for one of Redis: however long a step lasts, it counts as one.
async fn within<T>(answer: impl Future<Output = Result<T, RedisError>>) -> Result<T, RedisError> {
    let patience = async {
        for _ in 0..STEPS {
            tokio::time::sleep(TIMEOUT / STEPS).await;
        }
    };
    tokio::select! {
        biased;
        answer = answer => answer,
        () = patience => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
    }
}

/// What the caller hears. The cause has no secret: the crate's errors say what the server or the system said, and all of
/// it in their text.
pub(super) fn failed(cause: impl Into<RedisError>) -> Error {
    let cause = cause.into();
    let text = cause.to_string();
    match cause.kind() {
        ErrorKind::Io => Error::backend("Redis does not answer").with_source(text),
        ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::AuthenticationFailed => {
            Error::backend("Redis refuses").with_source(RedisRefusal(text))
        }
        _ => Error::backend("Redis gives an answer that cannot be used").with_source(text),
    }
}
