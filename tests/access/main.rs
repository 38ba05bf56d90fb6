//! Access: tokens, origins, addresses, limits. A refusal precedes the upgrade and leaves nothing behind.
#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test stops where it fails")]

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use agentcore::axum::http::request::Parts;
use agentcore::prelude::*;
use serde_json::{Value, json};
use tests::client::Client;
use tests::inside::Inside;
use tests::raw::Raw;
use tests::room::Journal;
use tests::server::settings;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

mod address;
mod expiry;
mod http;
mod jwt;
mod limits;
mod origin;
mod tokens;

/// Reads a token such as `ada?lasts=10&grace=5&role=admin`; some words have other effects.
struct Tokens {
    journal: Journal,
}

impl Tokens {
    async fn read(&self, token: &str) -> Result<Identity> {
        let (user, rest) = token.split_once('?').unwrap_or((token, ""));
        match user {
            "bad" => return Err(Error::authentication("the token is not known")),
            "banned" => return Err(Error::authorization("this user may not come in")),
            "away" => return Err(Error::backend("the store of tokens does not answer")),
            "panic" => panic!("the authenticator panicked, knowing {token}"),
            "hang" => std::future::pending().await,
            "slow" => tokio::time::sleep(Duration::from_secs(3)).await,
            _ => {}
        }
        let mut identity = Identity::new(UserId::new(user)?);
        for (name, value) in rest.split('&').filter_map(|pair| pair.split_once('=')) {
            let number = value.parse().unwrap_or_default();
            identity = match name {
                "lasts" => identity.with_expires_at(SystemTime::now() + Duration::from_secs(number)),
                "lasted" => identity.with_expires_at(SystemTime::now() - Duration::from_secs(number)),
                "grace" => identity.with_grace(Duration::from_secs(number)),
                _ => identity.with_claim(name, value)?,
            };
        }
        Ok(identity)
    }
}

impl Authenticator for Tokens {
    async fn authenticate(&self, request: &Parts) -> Result<Identity> {
        match agentcore::auth::token(request) {
            Some(token) => self.read(&token).await,
            None => Err(Error::authentication("a token is needed")),
        }
    }

    async fn refresh(&self, identity: &Identity, token: &str) -> Result<Identity> {
        self.journal.note(format!("refresh {}", identity.user()));
        // `slow` takes some time and keeps the previous identity.
        match self.read(token).await {
            Ok(fresh) if fresh.user() == "slow" => Ok(Identity::new(identity.user().clone())),
            other => other,
        }
    }
}

/// Returns the identity of the connection.
#[message("you")]
struct You {
    user: UserId,
    role: Option<String>,
    ip: Option<String>,
}

/// A consumer without a user of its own.
#[consumer(path = "/ws")]
struct Guest {
    #[state]
    journal: Journal,
}

#[consumer]
impl Guest {
    #[on(connect)]
    async fn hello(&mut self, cx: &Context<Self>) {
        self.journal.note(format!("connect {}", cx.user_id()));
    }

    #[on("who")]
    async fn who(&mut self, cx: &Context<Self>) -> You {
        let identity = cx.identity();
        You { user: identity.user().clone(), role: identity.claim("role"), ip: cx.ip().map(|ip| ip.to_string()) }
    }

    #[on("join")]
    async fn join(&mut self, cx: &Context<Self>, message: Group) -> Result<()> {
        cx.join(message.group).await.map(drop)
    }

    #[on("leave")]
    async fn leave(&mut self, cx: &Context<Self>, message: Group) -> Result<()> {
        cx.leave(message.group).await.map(drop)
    }
}

/// A group.
#[message]
struct Group {
    group: String,
}

/// A consumer whose path names the user.
#[consumer(path = "/as/{user_id}")]
struct Named {
    #[path]
    #[user]
    user_id: UserId,
    #[state]
    journal: Journal,
}

#[consumer]
impl Named {
    #[on(connect)]
    async fn hello(&mut self) {
        self.journal.note(format!("connect {}", self.user_id));
    }

    #[on("who")]
    async fn who(&mut self, cx: &Context<Self>) -> You {
        You { user: cx.user_id().clone(), role: None, ip: None }
    }
}

/// An application without an authenticator.
fn open(settings: Settings) -> (AgentCore, Journal) {
    let journal = Journal::default();
    (AgentCore::new(settings).state(journal.clone()).consumer::<Guest>().consumer::<Named>(), journal)
}

/// An application that requires tokens.
async fn guarded() -> (Inside, Journal) {
    let (app, journal) = open(embedded());
    (Inside::of(app.authenticator(Tokens { journal: journal.clone() })).await, journal)
}

/// Settings for the test's own runtime, so that server and test share a clock.
fn embedded() -> Settings {
    let mut settings = settings();
    settings.workers = 0;
    // A client that waits for an hour on a paused clock answers no pings meanwhile.
    settings.ws_enable_heartbeat = false;
    settings
}

const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9)), 50_000);

/// Returns the status of the answer to a handshake, and its error.
async fn refusal(server: &Inside, path: &str, headers: &[(&str, &str)]) -> (u16, Value) {
    let answer = shake(server, path, headers).await.1;
    let error = if answer.status == 101 { Value::Null } else { answer.json()["error"].clone() };
    (answer.status, error)
}

async fn shake(server: &Inside, path: &str, headers: &[(&str, &str)]) -> (Raw, tests::http::Answer) {
    let mut raw = Raw::over(server.reach(Some(PEER)));
    let answer = raw.shake(path, headers).await;
    (raw, answer)
}

/// Opens a stream from an address.
async fn from(server: &Inside, peer: &str) -> (Raw, tests::http::Answer) {
    let mut raw = Raw::over(server.reach(Some(peer.parse().expect("an address"))));
    let answer = raw.shake("/ws", &[]).await;
    (raw, answer)
}

/// Connects a client.
async fn connect(server: &Inside, path: &str) -> Client {
    let request = format!("ws://localhost{path}").into_client_request().expect("a request");
    Client::over(Box::new(server.reach(Some(PEER))), request).await.expect("the server lets it in")
}

async fn who(client: &mut Client) -> Value {
    client.ask("who", json!({})).await["data"].clone()
}

/// Checks that no connection was registered, counted or announced.
async fn nothing_happened(server: &Inside, journal: &Journal) {
    let stats = server.manager.stats();
    assert_eq!((stats.connections, stats.users, stats.groups), (0, 0, 0));
    assert_eq!(server.manager.online_count().await.expect("a count"), 0);
    assert_eq!(journal.lines(), [""; 0]);
}
