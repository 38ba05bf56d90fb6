//! A connection to Redis: how it is opened, and the meaning of its failures.

use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, IntoConnectionInfo, Pipeline, ProtocolVersion,
    RedisError, Script, ServerErrorKind, Value,
};

use super::super::refusal::RedisRefusal;
use crate::error::{Error, Result};

/// Timeout of opening a connection and of each call, in time during which this process runs.
const TIMEOUT: Duration = Duration::from_secs(1);
/// Number of steps in which the timeout is counted.
const TIMEOUT_STEPS: u32 = 20;

/// Bytes that are handed to the socket at once.
const WRITE_CHUNK: usize = 256 << 10;

/// Reads a URL. The protocol is always RESP3, whatever the URL says: only RESP3 carries pushes and replies on one
/// connection.
///
/// # Errors
/// When the URL is invalid, or this build cannot reach the server. The text contains no part of the URL, which may have
/// a password.
pub(super) fn client(url: &str) -> Result<Client> {
    let is_tls = ["rediss:", "valkeys:"].iter().any(|scheme| url.starts_with(scheme));
    if is_tls && !cfg!(feature = "redis-tls") {
        return Err(Error::start("a `rediss://` URL needs the cargo feature `redis-tls` of agentcore"));
    }
    #[cfg(feature = "redis-tls")]
    if is_tls {
        // Fails only if the application has installed a crypto provider, which is used then.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
    let info = url.into_connection_info().map_err(|_| unreadable())?;
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    // Both are off by default. Keepalive detects a dead peer while nothing is sent.
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(10)).with_interval(Duration::from_secs(5));
    let tcp = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
    let info: ConnectionInfo = info.set_redis_settings(settings).set_tcp_settings(tcp);
    Client::open(info).map_err(|_| unreadable())
}

fn unreadable() -> Error {
    Error::start("the URL of Redis cannot be read; it must be `redis://[user[:password]@]host[:port][/database]`")
}

/// Returns the configuration of every connection.
pub(super) fn config() -> AsyncConnectionConfig {
    // `with_timeout` keeps both limits instead of the crate.
    AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_write_backpressure_boundary(WRITE_CHUNK)
}

/// An open connection. Dropping it closes it.
pub(super) struct RedisConnection {
    connection: MultiplexedConnection,
    /// The first failure after which the state of the connection is unknown. From then on a reply could belong to any
    /// call.
    dead: OnceLock<RedisError>,
}

impl RedisConnection {
    /// Connects and authenticates.
    pub(super) async fn open(client: &Client, config: &AsyncConnectionConfig) -> Result<Self> {
        let opened = with_timeout(client.get_multiplexed_async_connection_with_config(config)).await;
        Ok(Self { connection: opened.map_err(failed)?, dead: OnceLock::new() })
    }

    /// Calls a command and returns its reply.
    pub(super) async fn call(&self, command: &Cmd) -> Result<Value> {
        self.try_call(command).await.map_err(failed)
    }

    /// Calls commands in one round trip. Each reply may be an error.
    pub(super) async fn call_all(&self, commands: &Pipeline) -> Result<Vec<Value>> {
        self.check_alive().map_err(failed)?;
        let called = with_timeout(self.connection.clone().send_packed_commands(commands, 0, commands.len())).await;
        self.note_death(called).map_err(failed)
    }

    /// Calls a script by its hash. Loads the script first when Redis does not know it: at first, and after a restart.
    pub(super) async fn run(&self, script: &Script, command: &Cmd) -> Result<Value> {
        match self.try_call(command).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                let loaded = with_timeout(script.load_async(&mut self.connection.clone())).await;
                self.note_death(loaded).map_err(failed)?;
                self.call(command).await
            }
            called => called.map_err(failed),
        }
    }

    /// Subscribes to channels. Completes when messages arrive on all of them.
    pub(super) async fn subscribe(&self, channels: Vec<String>) -> Result<()> {
        self.check_alive().map_err(failed)?;
        let subscribed = with_timeout(self.connection.clone().subscribe(channels)).await;
        self.note_death(subscribed).map_err(failed)
    }

    /// Unsubscribes from channels. Completes when no more messages arrive on them.
    pub(super) async fn unsubscribe(&self, channels: Vec<String>) -> Result<()> {
        self.check_alive().map_err(failed)?;
        let unsubscribed = with_timeout(self.connection.clone().unsubscribe(channels)).await;
        self.note_death(unsubscribed).map_err(failed)
    }

    /// Checks that the server answers and serves. Most error replies count as an answer: a Redis that cannot write its
    /// snapshot replies with an error and still delivers messages.
    pub(super) async fn ping(&self) -> Result<()> {
        match self.try_call(&redis::cmd("PING")).await {
            Err(error) if is_fatal(&error) || serves_nothing(&error) => Err(failed(error)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    async fn try_call(&self, command: &Cmd) -> Result<Value, RedisError> {
        self.check_alive()?;
        let called = with_timeout(command.query_async::<Value>(&mut self.connection.clone())).await;
        self.note_death(called)
    }

    fn check_alive(&self) -> Result<(), RedisError> {
        match self.dead.get() {
            // Repeats the cause, so that later calls report it too.
            Some(cause) => Err(cause.clone()),
            None => Ok(()),
        }
    }

    fn note_death<T>(&self, called: Result<T, RedisError>) -> Result<T, RedisError> {
        called.inspect_err(|error| {
            if is_fatal(error) {
                let _ = self.dead.set(error.clone());
            }
        })
    }
}

/// Returns whether a connection is unusable after this error.
fn is_fatal(error: &RedisError) -> bool {
    match error.kind() {
        // The server has become a replica; another connection finds the primary.
        ErrorKind::Server(ServerErrorKind::ReadOnly) => true,
        ErrorKind::Server(_) | ErrorKind::Extension => false,
        _ => true,
    }
}

/// Returns whether the error means that the server does not serve: it loads its data, waits for its primary, or rejects
/// the credentials.
fn serves_nothing(error: &RedisError) -> bool {
    let kind = error.kind();
    matches!(kind, ErrorKind::Server(ServerErrorKind::BusyLoading | ServerErrorKind::MasterDown))
        || matches!(error.code(), Some("NOAUTH" | "WRONGPASS"))
}

/// Waits at most [`TIMEOUT`] for a reply. A process without CPU time cannot read replies and must not take its own
/// pause for one of Redis, so a step that lasts longer still counts as one step.
async fn with_timeout<T>(reply: impl Future<Output = Result<T, RedisError>>) -> Result<T, RedisError> {
    let timeout = async {
        for _ in 0..TIMEOUT_STEPS {
            tokio::time::sleep(TIMEOUT / TIMEOUT_STEPS).await;
        }
    };
    tokio::select! {
        biased;
        reply = reply => reply,
        () = timeout => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
    }
}

/// Returns the error that callers get. Its source contains the text of the crate's error, which holds no secrets: only
/// what the server or the system reported.
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
