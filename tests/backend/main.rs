//! The contract of every backend: one suite, run on one node with the memory backend, on two nodes joined by a hub with
//! delays, on two nodes joined by the Redis backend over a stub, and on two nodes joined by Redis.
#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test stops where it fails")]

use agentcore::backend::{Backend, MemoryBackend, PresenceExit};
use agentcore::testing::StubRedis;
use agentcore::{AgentCore, Settings};
use serde_json::{Value, json};
use tests::client::Client;
use tests::hub::Hub;
use tests::redis::Redis;
use tests::room::{Gate, Journal, room};
use tests::server::{Server, settings};

/// A way to create the nodes of one cluster.
trait Cluster {
    /// The number of nodes that a test gets.
    const NODES: usize;

    /// Adds the backend of one node to an application.
    fn admit(&self, app: AgentCore) -> AgentCore;
}

/// One node alone.
struct Memory;

impl Cluster for Memory {
    const NODES: usize = 1;

    fn admit(&self, app: AgentCore) -> AgentCore {
        app.backend(MemoryBackend::new())
    }
}

impl Cluster for Hub {
    const NODES: usize = 2;

    fn admit(&self, app: AgentCore) -> AgentCore {
        app.backend(self.backend())
    }
}

impl Cluster for StubRedis {
    const NODES: usize = 2;

    fn admit(&self, app: AgentCore) -> AgentCore {
        app.backend(self.backend())
    }
}

impl Cluster for Redis {
    const NODES: usize = 2;

    fn admit(&self, app: AgentCore) -> AgentCore {
        app.backend(self.backend())
    }
}

struct Node {
    server: Server,
    journal: Journal,
    #[expect(dead_code, reason = "it must live as long as the node")]
    gate: Gate,
}

/// The nodes of a cluster.
struct Nodes(Vec<Node>);

impl Nodes {
    async fn of(cluster: &impl Cluster) -> Self {
        Self::with(cluster, settings()).await
    }

    async fn with(cluster: &impl Cluster, settings: Settings) -> Self {
        Self::through(cluster, settings, |app| app).await
    }

    /// Starts nodes whose applications have more than the room.
    async fn through<C: Cluster>(cluster: &C, settings: Settings, more: impl Fn(AgentCore) -> AgentCore) -> Self {
        let mut nodes = Vec::new();
        for _ in 0..C::NODES {
            let (app, journal, gate) = room(settings.clone());
            nodes.push(Node { server: Server::start(cluster.admit(more(app))).await, journal, gate });
        }
        Self(nodes)
    }

    /// Returns the node of client `number`, in turn.
    fn server(&self, number: usize) -> &Server {
        &self.0[number % self.0.len()].server
    }

    async fn connect(&self, number: usize, user: &str) -> Client {
        let mut client = Client::connect(self.server(number), &format!("/room/{user}")).await;
        client.settle().await;
        client
    }

    /// Connects one client per user, `u0` to the first node, `u1` to the next.
    async fn clients(&self, count: usize) -> Vec<Client> {
        let mut clients = Vec::new();
        for number in 0..count {
            clients.push(self.connect(number, &format!("u{number}")).await);
        }
        clients
    }
}

async fn join(client: &mut Client, group: &str) {
    let answer = client.ask("join", json!({ "group": group })).await;
    assert_eq!(answer["type"], "reply", "{answer}");
}

async fn post(client: &mut Client, to: Value) {
    let answer = client.ask("post", to).await;
    assert_eq!(answer["type"], "reply", "{answer}");
}

/// Returns everything before the text `end`, as pairs of sender and text.
async fn texts_before(client: &mut Client, end: &str) -> Vec<(String, Value)> {
    let mut texts = Vec::new();
    loop {
        let message = client.next().await;
        if message["type"] != "posted" {
            continue;
        }
        let text = message["data"]["text"].clone();
        if text == end {
            return texts;
        }
        texts.push((message["data"]["from"].as_str().expect("a sender").to_owned(), text));
    }
}

/// Returns how many connections to Redis a node has lost.
fn connections_lost(backend: &impl Backend) -> u64 {
    backend.events().iter().find(|(name, _)| *name == "connection_lost").map_or(0, |(_, count)| *count)
}

/// Waits until a node has finished everything that its registry writer has begun. Nobody is in the group that it leaves.
async fn writer_is_idle(backend: &impl Backend) {
    let (group, user) = ("nobody".parse().expect("a name"), "nobody".parse().expect("a name"));
    let connection = "0000000000000001-0000000000000001".parse().expect("an id");
    let exit = PresenceExit { group: &group, user: &user, connection, lost: false };
    tests::wait::soon("the registry writer", backend.exit(exit)).await.expect("an answer");
}

/// Declares tests that run on every backend.
macro_rules! on_every_backend {
    ($(async fn $name:ident($cluster:ident) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn run($cluster: &impl crate::Cluster) $body

            #[tokio::test]
            async fn on_memory() {
                run(&crate::Memory).await;
            }

            #[tokio::test]
            async fn on_a_hub() {
                run(&tests::hub::Hub::default()).await;
            }

            #[tokio::test]
            async fn on_a_stub() {
                run(&agentcore::testing::StubRedis::new()).await;
            }

            #[tokio::test]
            async fn on_redis() {
                if let Some(redis) = tests::redis::Redis::start() {
                    run(&redis).await;
                }
            }
        }
    )*};
}

mod admission;
mod admission_races;
mod commands;
mod counts;
mod delivery;
mod faults;
mod namesakes;
mod node_lifecycle;
mod presence;
mod rates;
mod recovery;
mod redis_lost_data;
mod redis_out_of_memory;
mod redis_rights;
mod redis_settings;
mod refusing_redis;
mod shared_redis;
mod slow_node;
mod start;
mod tls;
