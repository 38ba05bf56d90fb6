//! The Redis between the nodes: the one of `REDIS_URL`, or one that is started here and keeps nothing on disk.

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

use crate::child::{Child, stop_all, until_input_ends};

/// The word that makes the guard of a Redis of this program.
pub(crate) const WORD: &str = "redis";

/// The programs that will do, as Debian and others call them.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];

const MISSING: &str = "there is no redis-server: install it (Debian's package is `redis-server`), set REDIS_URL to one that \
                       runs, or use containers: docker compose -f examples/cluster/compose.yaml up";

/// So long it may take to begin.
const PATIENCE: Duration = Duration::from_secs(10);

/// A Redis that the nodes can use.
pub(crate) struct Redis {
    pub(crate) url: String,
    /// Its guard, if it was started here.
    pub(crate) child: Option<Child>,
    /// Then where it is.
    port: u16,
}

impl Redis {
    /// Takes the one of `REDIS_URL`, else starts one on a free port.
    ///
    /// # Errors
    /// When there is no program to start, or it does not begin to answer.
    pub(crate) async fn find_or_start() -> Result<Self> {
        if let Some(url) = env::var("REDIS_URL").ok().filter(|url| !url.is_empty()) {
            return Ok(Self { url, child: None, port: 0 });
        }
        let program = PROGRAMS.into_iter().find_map(in_path).ok_or_else(|| Error::system(MISSING))?;
        // Free at this moment; who takes it meanwhile makes this start fail, and the next one succeed.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr()).internal()?.port();
        let words = [WORD.into(), program.into_os_string(), port.to_string().into()];
        let mut child = Child::start("redis", &words, &[])?;
        tokio::select! {
            answers = timeout(PATIENCE, until_it_answers(port)) => {
                answers.map_err(|_| Error::system(format!("redis does not answer within {PATIENCE:?}")))?;
            }
            ended = child.ended() => return Err(Error::system(format!("{ended} before it answered"))),
        }
        Ok(Self { url: format!("redis://127.0.0.1:{port}/0"), child: Some(child), port })
    }

    /// Ends it, if it was started here.
    pub(crate) async fn stop(self) {
        let Some(guard) = self.child else { return };
        stop_all([guard]).await;
        // A guard that was killed has left it alone.
        if let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await {
            drop(stream.write_all(b"SHUTDOWN NOSAVE\r\n").await);
            // It answers by closing.
            drop(timeout(PATIENCE, stream.read(&mut [0])).await);
        }
    }

    /// Where it is, without user and password.
    pub(crate) fn place(&self) -> &str {
        self.url.rsplit_once('@').map_or(&self.url, |(_, place)| place)
    }
}

/// Is the guard of a Redis: ends it when the parent ends.
///
/// # Errors
/// When it ends by itself.
pub(crate) async fn run(mut words: impl Iterator<Item = String>) -> Result<()> {
    let (Some(program), Some(port)) = (words.next(), words.next()) else {
        return Err(Error::system("a Redis needs its program and its port"));
    };
    let mut redis = Command::new(program);
    redis.args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no"]);
    let mut redis = redis.stdin(Stdio::null()).stdout(Stdio::null()).spawn().internal()?;
    tokio::select! {
        ended = redis.wait() => Err(Error::system(format!("the Redis has ended: {}", ended.internal()?))),
        () = until_input_ends() => redis.kill().await.internal(),
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
