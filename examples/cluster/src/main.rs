//! Runs two nodes of the chat with a Redis between them: `cargo run --release -p cluster`.
//!
//! This program starts itself again for each node and for Redis, with an argument that names the role. A child ends
//! when its stdin closes (`until_stdin_closes`). The parent holds the other end of it, so the children end with the
//! parent, even if the parent is killed.

mod child;
mod node;
mod redis;

use std::env;
use std::io::{self, Write};

use agentcore::{Error, Internal, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

use child::first_to_end;
use node::Node;
use redis::Redis;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[agentcore::main]
async fn main() -> Result<()> {
    let mut arguments = env::args_os().skip(1);
    let Some(role) = arguments.next() else { return cluster().await };
    match role.to_str() {
        Some(node::ROLE) => node::run().await,
        Some(redis::ROLE) => redis::run(arguments).await,
        _ => Err(Error::system("this program takes no arguments; its settings are in the environment")),
    }
}

async fn cluster() -> Result<()> {
    let mut signals = Signals::listen()?;
    let mut redis = Redis::find_or_start().await?;
    let mut nodes = Vec::new();
    let outcome = tokio::select! {
        Err(error) = run(&mut redis, &mut nodes) => Err(error),
        () = signals.next() => Ok(()),
    };
    tokio::select! {
        () = child::stop_all(nodes.into_iter().map(|node| node.child)) => {}
        // A second signal skips the wait.
        () = signals.next() => {}
    }
    // Redis stops last, so that the nodes can notify each other of their end.
    redis.stop().await;
    outcome
}

/// Starts the nodes, and runs until a child ends.
async fn run(redis: &mut Redis, nodes: &mut Vec<Node>) -> Result<()> {
    for name in ["node-1", "node-2"] {
        nodes.push(Node::start(name, &redis.url).await?);
    }
    // A closed stdout is ignored.
    let _ = print_addresses(redis, nodes);
    let children = nodes.iter_mut().map(|node| &mut node.child).chain(redis.supervisor.as_mut());
    let ended = first_to_end(children).await;
    Err(Error::system(format!("{ended}; the other processes are stopped")))
}

fn print_addresses(redis: &Redis, nodes: &[Node]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "redis   {}", redis.address())?;
    for node in nodes {
        writeln!(out, "{}  {} (process {})", node.child.name(), node.address, node.child.id())?;
    }
    writeln!(out, "Open both addresses: the nodes share their rooms. Ctrl-C stops all processes.")
}

/// The signals that end this process: SIGINT (Ctrl-C), SIGTERM, and SIGHUP (a closed terminal).
struct Signals([Signal; 3]);

impl Signals {
    fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).internal();
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [interrupt, terminate, hangup] = kinds.map(listen);
        Ok(Self([interrupt?, terminate?, hangup?]))
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
