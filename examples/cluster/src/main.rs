//! Two nodes of the chat and a Redis between them, with one command: `cargo run --release -p cluster`.
//!
//! This program is the parent of all: it starts itself again for each node and for Redis, with a word that says what to be.
//! A child ends when its input does (`until_input_ends`). The parent holds the other end, so no child outlives it, however
//! it comes to its end.

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
    let mut words = env::args().skip(1);
    match words.next().as_deref() {
        None => cluster().await,
        Some(node::WORD) => node::run().await,
        Some(redis::WORD) => redis::run(words).await,
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
        // Whoever asks twice does not want to wait.
        () = signals.next() => {}
    }
    // The last, so that the nodes could say goodbye to each other.
    redis.stop().await;
    outcome
}

/// Starts the nodes, and runs until something ends that should not.
async fn run(redis: &mut Redis, nodes: &mut Vec<Node>) -> Result<()> {
    for name in ["node-1", "node-2"] {
        nodes.push(Node::start(name, &redis.url).await?);
    }
    welcome(redis, nodes);
    let children = nodes.iter_mut().map(|node| &mut node.child).chain(redis.child.as_mut());
    let ended = first_to_end(children).await;
    Err(Error::system(format!("{ended}; the others are ended too")))
}

#[expect(clippy::print_stdout, reason = "this is what the program has to say")]
fn welcome(redis: &Redis, nodes: &[Node]) {
    println!("redis   {}", redis.place());
    for node in nodes {
        println!("{}  {} (process {})", node.child.name(), node.address, node.child.id());
    }
    println!("Open both addresses: whoever is in a room of one is in that of the other. Ctrl-C ends all.");
}

/// What asks this process to end: Ctrl-C, whoever runs it, a terminal that is closed.
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
