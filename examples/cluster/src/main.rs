//! Runs two nodes of the chat with a Redis between them: `cargo run --release -p cluster`.
//!
//! This program starts itself again for each node and for Redis, with an argument that names the role. A child ends when
//! its stdin closes (`until_stdin_closes`). The parent holds the other end of it, so the children end with the parent, even
//! if the parent is killed.

mod child;
mod node;
mod redis;

use std::env;

use agentcore::{Error, Internal, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

use child::first_to_end;
use node::Node;
use redis::Redis;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[agentcore::main]
async fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    match arguments.next().as_deref() {
        None => cluster().await,
        Some(node::ROLE) => node::run().await,
        Some(redis::ROLE) => redis::run(arguments).await,
        Some(_) => Err(Error::system("this program takes no arguments; its settings are in the environment")),
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
    print_addresses(redis, nodes);
    let children = nodes.iter_mut().map(|node| &mut node.child).chain(redis.supervisor.as_mut());
    let ended = first_to_end(children).await;
    Err(Error::system(format!("{ended}; the other processes are stopped")))
}

#[expect(clippy::print_stdout, reason = "the addresses are the output of this program")]
fn print_addresses(redis: &Redis, nodes: &[Node]) {
    println!("redis   {}", redis.address());
    for node in nodes {
        println!("{}  {} (process {})", node.child.name(), node.address, node.child.id());
    }
    println!("Open both addresses: the nodes share their rooms. Ctrl-C stops all processes.");
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
