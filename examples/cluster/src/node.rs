//! A node: the chat of `examples/chat`, as a process of its own.

use std::env;

use agentcore::{Error, Result};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::child::{Child, until_input_ends};

/// The word that makes a node of this program.
pub(crate) const WORD: &str = "node";

/// Is a node until the parent ends.
pub(crate) async fn run() -> Result<()> {
    let app = chat::from_env().await?.build().await?;
    let manager = app.manager();
    tokio::select! {
        served = app.serve() => served,
        // Serving goes on meanwhile: everybody hears of it, and nothing that was sent is lost.
        () = async { until_input_ends().await; manager.shutdown().await; } => Ok(()),
    }
}

/// A node that listens.
pub(crate) struct Node {
    pub(crate) child: Child,
    /// Where, for browsers.
    pub(crate) address: String,
}

impl Node {
    /// Starts a node on a free port, and waits until it listens.
    ///
    /// # Errors
    /// When it ends instead; it has said why.
    pub(crate) async fn start(name: &str, redis: &str) -> Result<Self> {
        let mut settings = vec![("SERVER_INSTANCE_ID", name), ("PORT", "0"), ("REDIS_URL", redis)];
        // What makes a cluster of the nodes, unless the environment says something else.
        let usual = [("HOST", "127.0.0.1"), ("BACKEND_TYPE", "redis"), ("CHAT_STORE", "redis")];
        settings.extend(usual.into_iter().filter(|(name, _)| env::var_os(name).is_none_or(|value| value.is_empty())));
        let mut child = Child::start(name, &[WORD], &settings)?;
        if let Some(output) = child.output() {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(address) = line.strip_prefix("listening on ") {
                    let address = address.to_owned();
                    // Read to the end, so that the node can always write.
                    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                    return Ok(Self { child, address });
                }
            }
        }
        Err(Error::system(format!("{} before it listened", child.ended().await)))
    }
}
