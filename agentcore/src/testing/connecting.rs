//! Connecting a client: the request, and the client or the refusal that it leads to.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use axum::Extension;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use serde::Serialize;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;

use super::app::TestApp;
use super::call_site::CallSite;
use super::client::TestClient;
use super::http::{TestResponse, add_header, send_request};
use super::socket::ClientSocket;
use crate::auth::Identity;
use crate::id::UserId;
use crate::message::Codec;
use crate::server::TestCredentials;

/// A client that is about to connect. Awaiting it connects, and returns a [`TestClient`].
///
/// `#[on(connect)]` has run by then, and the messages that it sent are the first that the client receives.
#[derive(Debug)]
#[must_use = "a client connects when it is awaited"]
pub struct Connecting {
    site: CallSite,
    app: TestApp,
    path: String,
    headers: HeaderMap,
    protocols: Vec<String>,
    identity: Option<Identity>,
    from: SocketAddr,
    settles: bool,
}

impl TestApp {
    /// Connects to `path`; the returned builder is awaited:
    ///
    /// ```no_run
    /// # async fn test(app: agentcore::testing::TestApp) {
    /// use agentcore::Codec;
    ///
    /// let alice = app.connect("/ws/alice").await;
    /// let bob = app.connect("/ws/bob").codec(Codec::MessagePack).header("origin", "https://chat.test").await;
    /// let refused = app.connect("/ws/anon-x").refused().await;
    /// assert_eq!(refused.status(), 400);
    /// # }
    /// ```
    ///
    /// The application decides which user the client is, by its `Authenticator` or by the field marked `#[user]`.
    #[track_caller]
    pub fn connect(&self, path: impl Into<String>) -> Connecting {
        Connecting::new(self.clone(), path.into())
    }

    /// Connects to `path` as `user`, without calling the application's `Authenticator`. [`Connecting::claim`] adds
    /// claims.
    #[track_caller]
    pub fn connect_as(&self, user: impl Into<String>, path: impl Into<String>) -> Connecting {
        self.connect(path).user(user)
    }
}

impl Connecting {
    #[track_caller]
    fn new(app: TestApp, path: String) -> Self {
        let (site, from) = (CallSite::here(&path), app.next_address());
        let (headers, protocols) = (HeaderMap::new(), Vec::new());
        Self { site, app, path, headers, protocols, identity: None, from, settles: true }
    }

    /// Connects as this user, without calling the application's `Authenticator`.
    ///
    /// # Panics
    /// `user` is not a valid [`UserId`].
    #[track_caller]
    pub fn user(self, user: impl Into<String>) -> Self {
        let user = user.into();
        match UserId::new(user.as_str()) {
            Ok(id) => self.identity(Identity::new(id)),
            Err(error) => self.site.fail(format_args!("{user:?} is not a user id: {error}")),
        }
    }

    /// Connects with this identity, without calling the application's `Authenticator`.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Adds a claim to the identity.
    ///
    /// # Panics
    /// The client has no identity yet, or the value cannot be written as JSON.
    #[track_caller]
    pub fn claim(mut self, name: &str, value: impl Serialize) -> Self {
        let Some(identity) = self.identity.take() else {
            self.site.fail("a claim needs an identity: use `connect_as(user, path)`, or `.user(..)` before it")
        };
        match identity.with_claim(name, value) {
            Ok(identity) => self.identity(identity),
            Err(error) => self.site.fail(format_args!("the claim `{name}` cannot be written: {}", error.message())),
        }
    }

    /// Offers the subprotocol of `codec`. Without a subprotocol the codec is JSON and there is no welcome.
    pub fn codec(self, codec: Codec) -> Self {
        self.subprotocol(codec.subprotocol())
    }

    /// Offers a subprotocol in addition to those offered before.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.protocols.push(name.into());
        self
    }

    /// Adds a header.
    ///
    /// # Panics
    /// The name or the value is not valid in a header.
    #[track_caller]
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        add_header(&mut self.headers, name, value.as_ref(), &self.site);
        self
    }

    /// Adds `Authorization: Bearer <token>`, for the application's `Authenticator`.
    ///
    /// # Panics
    /// The token is not valid in a header.
    #[track_caller]
    pub fn token(self, token: impl AsRef<str>) -> Self {
        self.header("authorization", format!("Bearer {}", token.as_ref()))
    }

    /// Adds a parameter to the query, percent-encoded.
    pub fn query(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let pair = form_urlencoded::Serializer::new(String::new()).append_pair(name, value.as_ref()).finish();
        self.path.push(if self.path.contains('?') { '&' } else { '?' });
        self.path.push_str(&pair);
        self
    }

    /// Connects from this address instead of 127.0.0.1.
    pub fn ip(mut self, ip: impl Into<IpAddr>) -> Self {
        self.from.set_ip(ip.into());
        self
    }

    /// Returns the client without waiting for `#[on(connect)]` to end.
    pub fn without_waiting(mut self) -> Self {
        self.settles = false;
        self
    }

    /// Returns the refusal of the application.
    ///
    /// # Panics
    /// The application accepts the client.
    pub async fn refused(self) -> TestResponse {
        let site = self.site.clone();
        match self.result().await {
            Err(refusal) => refusal,
            Ok(client) => site.fail(format_args!("expected a refusal, but the client was let in as {}", client.user())),
        }
    }

    /// Connects, and returns the client or the refusal.
    ///
    /// # Errors
    /// The refusal of the application: its status, and the error in its body.
    ///
    /// # Panics
    /// The application does not answer.
    pub async fn result(self) -> Result<TestClient, TestResponse> {
        let (site, app, settles) = (self.site.clone(), self.app.clone(), self.settles);
        let (socket, headers, user) = match site.within(|| "no answer came".to_owned(), self.open()).await {
            Ok(opened) => opened?,
            Err(error) => site.fail(error),
        };
        app.add(user.clone(), &socket);
        let offered = headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL);
        let mut client = TestClient::new(app, socket, user, headers);
        if offered {
            client.take_welcome(&site).await;
        }
        if settles {
            client.settle_at(&site).await;
        }
        Ok(client)
    }

    async fn open(self) -> Result<Result<(std::sync::Arc<ClientSocket>, HeaderMap, UserId), TestResponse>, String> {
        let Self { site, app, path, headers, protocols, identity, from, .. } = self;
        let request = Request::get(path)
            .header(header::HOST, "localhost")
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, generate_key());
        let mut request = request.body(Body::empty()).map_err(|error| format!("the request is invalid: {error}"))?;
        request.headers_mut().extend(headers);
        if !protocols.is_empty() {
            let offer = protocols.join(", ");
            let value = header::HeaderValue::try_from(offer).map_err(|error| format!("subprotocols: {error}"))?;
            request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, value);
        }
        let test_credentials = TestCredentials::new(identity);
        let router = app.router().layer(Extension(test_credentials.clone()));
        let response = send_request(app.http(), router, from, request).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Err(TestResponse::read(site.subject(), response).await?));
        }
        let headers = response.headers().clone();
        let chosen = headers.get(header::SEC_WEBSOCKET_PROTOCOL);
        let message_pack = chosen.is_some_and(|chosen| chosen == Codec::MessagePack.subprotocol());
        let codec = if message_pack { Codec::MessagePack } else { Codec::Json };
        let upgraded = hyper::upgrade::on(response).await.map_err(|error| error.to_string())?;
        let Some(user) = test_credentials.user() else {
            return Err("no consumer of this application answered".to_owned());
        };
        Ok(Ok((ClientSocket::open(upgraded, codec).await, headers, user.clone())))
    }
}

/// # Panics
/// The application refuses the client; the message has the refusal.
impl IntoFuture for Connecting {
    type Output = TestClient;
    type IntoFuture = Pin<Box<dyn Future<Output = TestClient> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let site = self.site.clone();
        Box::pin(async move {
            match self.result().await {
                Ok(client) => client,
                Err(refusal) => site.fail(format_args!("expected to be let in, but was refused: {refusal}")),
            }
        })
    }
}
