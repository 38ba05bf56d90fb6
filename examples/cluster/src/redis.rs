//! The Redis between the nodes: the one at `REDIS_URL`, or one that this program starts and that stores nothing on
//! disk.

use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use std::{env, io};

use agentcore::{Error, Internal, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::child::{Child, stop_all, until_stdin_closes};

/// The argument that runs this program as the supervisor of a Redis: a child that stops it when the parent ends.
pub(crate) const ROLE: &str = "redis";

/// Names of the program in the distributions' packages.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];

const MISSING: &str = "redis-server is missing: install it (Debian package `redis-server`), set REDIS_URL to a running Redis, \
                       or use containers: docker compose -f examples/cluster/compose.yaml up";

/// How long Redis may take to start or to stop.
const REDIS_TIMEOUT: Duration = Duration::from_secs(10);

/// A Redis that the nodes can use.
pub(crate) struct Redis {
    pub(crate) url: String,
    /// The supervisor, if this program has started Redis.
    pub(crate) supervisor: Option<Child>,
    /// The port, if this program has started Redis.
    port: u16,
}

impl Redis {
    /// Uses the Redis at `REDIS_URL`, or starts one on a free port.
    ///
    /// # Errors
    /// If Redis is not installed, or does not answer after its start.
    pub(crate) async fn find_or_start() -> Result<Self> {
        if let Some(url) = env::var("REDIS_URL").ok().filter(|url| !url.is_empty()) {
            return Ok(Self { url, supervisor: None, port: 0 });
        }
        let program = PROGRAMS.into_iter().find_map(in_path).ok_or_else(|| Error::system(MISSING))?;
        // Another process can take the port before Redis does; then this start fails, and the next one has another
        // port.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr()).internal()?.port();
        let arguments = [ROLE.into(), program.into_os_string(), port.to_string().into()];
        let mut supervisor = Child::start("redis", &arguments, &[])?;
        tokio::select! {
            started = timeout(REDIS_TIMEOUT, until_it_answers(port)) => {
                started.map_err(|_| Error::system(format!("redis did not answer within {REDIS_TIMEOUT:?}")))?;
            }
            ended = supervisor.ended() => return Err(Error::system(format!("{ended} before it answered"))),
        }
        Ok(Self { url: format!("redis://127.0.0.1:{port}/0"), supervisor: Some(supervisor), port })
    }

    /// Stops Redis, if this program has started it.
    pub(crate) async fn stop(self) {
        let Some(supervisor) = self.supervisor else { return };
        stop_all([supervisor]).await;
        // A supervisor that was killed leaves Redis running.
        if let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await {
            drop(stream.write_all(b"SHUTDOWN NOSAVE\r\n").await);
            // Redis closes the connection when it stops.
            drop(timeout(REDIS_TIMEOUT, stream.read(&mut [0])).await);
        }
    }

    /// Returns the URL without user and password.
    pub(crate) fn address(&self) -> &str {
        self.url.rsplit_once('@').map_or(&self.url, |(_, address)| address)
    }
}

/// Runs Redis, and stops it when the parent ends.
///
/// # Errors
/// If Redis ends by itself.
pub(crate) async fn run(mut arguments: impl Iterator<Item = OsString>) -> Result<()> {
    let (Some(program), Some(port)) = (arguments.next(), arguments.next()) else {
        return Err(Error::system("the supervisor of Redis needs the program and the port"));
    };
    let mut redis = Command::new(program);
    redis.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"]).arg(port);
    let mut redis = redis.stdin(Stdio::null()).stdout(Stdio::null()).spawn().internal()?;
    tokio::select! {
        ended = redis.wait() => Err(Error::system(format!("redis has ended: {}", ended.internal()?))),
        () = until_stdin_closes() => redis.kill().await.internal(),
    }
}

fn in_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

async fn until_it_answers(port: u16) {
    while !answers(port).await.unwrap_or(false) {
        sleep(Duration::from_millis(20)).await;
    }
}

async fn answers(port: u16) -> io::Result<bool> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.write_all(b"PING\r\n").await?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await?;
    Ok(&answer == b"+PONG")
}
