//! A node: the chat of `examples/chat` as a child process.

use std::env;

use agentcore::{Error, Result};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::child::{Child, until_stdin_closes};

/// The argument that runs this program as a node.
pub(crate) const ROLE: &str = "node";

/// Runs a node until the parent ends or stops it.
pub(crate) async fn run() -> Result<()> {
    let app = chat::from_env().await?;
    let manager = app.manager();
    tokio::select! {
        served = app.serve() => served,
        // The server keeps running during the shutdown, which notifies the clients and loses no sent message.
        () = async { until_stdin_closes().await; manager.shutdown().await; } => Ok(()),
    }
}

/// A running node.
pub(crate) struct Node {
    pub(crate) child: Child,
    /// Its URL, for browsers.
    pub(crate) address: String,
}

impl Node {
    /// Starts a node on a free port, and waits until it listens.
    ///
    /// # Errors
    /// If the node ends before; it has printed the reason.
    pub(crate) async fn start(name: &str, redis: &str) -> Result<Self> {
        let mut settings = vec![("SERVER_INSTANCE_ID", name), ("PORT", "0"), ("REDIS_URL", redis)];
        // The settings that join the nodes; the environment overrides them.
        let defaults = [("HOST", "127.0.0.1"), ("BACKEND_TYPE", "redis"), ("CHAT_STORE", "redis")];
        settings
            .extend(defaults.into_iter().filter(|(name, _)| env::var_os(name).is_none_or(|value| value.is_empty())));
        let mut child = Child::start(name, &[ROLE], &settings)?;
        if let Some(stdout) = child.take_stdout() {
            let mut lines = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(address) = line.strip_prefix("listening on ") {
                    let address = address.to_owned();
                    // Reads to the end: a full pipe would block the node.
                    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                    return Ok(Self { child, address });
                }
            }
        }
        Err(Error::system(format!("{} before it was listening", child.ended().await)))
    }
}
