//! From a path to a connected client, or to a refusal.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use axum::Extension;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use serde::Serialize;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;

use super::app::TestApp;
use super::client::TestClient;
use super::dial::{TestResponse, ask};
use super::failing::Place;
use super::request::add_header;
use super::socket::Socket;
use crate::auth::Identity;
use crate::id::UserId;
use crate::message::Codec;
use crate::server::TestCredentials;

/// A client that is about to connect: awaiting it does it, and gives a [`TestClient`].
///
/// When it is awaited, `#[on(connect)]` has run; what it sent is the first that the client finds.
#[derive(Debug)]
#[must_use = "a client connects when it is awaited"]
pub struct Connecting {
    place: Place,
    app: TestApp,
    path: String,
    headers: HeaderMap,
    protocols: Vec<String>,
    identity: Option<Identity>,
    from: SocketAddr,
    settles: bool,
}

impl Connecting {
    #[track_caller]
    pub(super) fn new(app: TestApp, path: String) -> Self {
        let (place, from) = (Place::here(&path), app.next_address());
        let (headers, protocols) = (HeaderMap::new(), Vec::new());
        Self { place, app, path, headers, protocols, identity: None, from, settles: true }
    }

    /// Is this user, without asking the application's `Authenticator`.
    ///
    /// # Panics
    /// When it is no [`UserId`].
    #[track_caller]
    pub fn user(self, user: impl Into<String>) -> Self {
        let user = user.into();
        match UserId::new(user.as_str()) {
            Ok(id) => self.identity(Identity::new(id)),
            Err(error) => self.place.fail(format_args!("{user:?} is no user id: {error}")),
        }
    }

    /// Has this identity, without asking the application's `Authenticator`.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Adds a claim to the identity.
    ///
    /// # Panics
    /// When there is no identity yet, or the value cannot be written as JSON.
    #[track_caller]
    pub fn claim(mut self, name: &str, value: impl Serialize) -> Self {
        let Some(identity) = self.identity.take() else {
            self.place.fail("a claim belongs to an identity: `connect_as(user, path)`, or `.user(..)` first")
        };
        match identity.with_claim(name, value) {
            Ok(identity) => self.identity(identity),
            Err(error) => self.place.fail(format_args!("the claim `{name}` cannot be written: {}", error.message())),
        }
    }

    /// Chooses the format by its subprotocol. Without this, no subprotocol is offered: that is JSON, without a welcome.
    pub fn codec(self, codec: Codec) -> Self {
        self.subprotocol(codec.subprotocol())
    }

    /// Offers a subprotocol, after those that were offered before.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.protocols.push(name.into());
        self
    }

    /// Adds a header.
    ///
    /// # Panics
    /// When it is no header.
    #[track_caller]
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        add_header(&mut self.headers, name, value.as_ref(), &self.place);
        self
    }

    /// Adds `Authorization: Bearer <token>`, for the application's `Authenticator`.
    ///
    /// # Panics
    /// When a header cannot hold it.
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

    /// Comes from this address instead of 127.0.0.1.
    pub fn ip(mut self, ip: impl Into<IpAddr>) -> Self {
        self.from.set_ip(ip.into());
        self
    }

    /// Does not wait for `#[on(connect)]` to end.
    pub fn without_waiting(mut self) -> Self {
        self.settles = false;
        self
    }

    /// The refusal of the application.
    ///
    /// # Panics
    /// When it lets the client in.
    pub async fn refused(self) -> TestResponse {
        let place = self.place.clone();
        match self.result().await {
            Err(refusal) => refusal,
            Ok(client) => {
                place.fail(format_args!("expected a refusal, but the client was let in as {}", client.user()))
            }
        }
    }

    /// Connects.
    ///
    /// # Errors
    /// The refusal of the application: its status, and the error in its body.
    ///
    /// # Panics
    /// When the application does not answer.
    pub async fn result(self) -> Result<TestClient, TestResponse> {
        let (place, app, settles) = (self.place.clone(), self.app.clone(), self.settles);
        let (socket, headers, user) = match place.within(|| "no answer came".to_owned(), self.open()).await {
            Ok(opened) => opened?,
            Err(error) => place.fail(error),
        };
        app.add(user.clone(), &socket);
        let offered = headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL);
        let mut client = TestClient::new(app, socket, user, headers);
        if offered {
            client.take_welcome(&place).await;
        }
        if settles {
            client.settle_at(&place).await;
        }
        Ok(client)
    }

    async fn open(self) -> Result<Result<(std::sync::Arc<Socket>, HeaderMap, UserId), TestResponse>, String> {
        let Self { place, app, path, headers, protocols, identity, from, .. } = self;
        let request = Request::get(path)
            .header(header::HOST, "localhost")
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, generate_key());
        let mut request = request.body(Body::empty()).map_err(|error| format!("this is no request: {error}"))?;
        request.headers_mut().extend(headers);
        if !protocols.is_empty() {
            let offer = protocols.join(", ");
            let value = header::HeaderValue::try_from(offer).map_err(|error| format!("subprotocols: {error}"))?;
            request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, value);
        }
        let test_credentials = TestCredentials::new(identity);
        let response = ask(app.router().layer(Extension(test_credentials.clone())), from, request).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Err(TestResponse::read(place.who(), response).await?));
        }
        let headers = response.headers().clone();
        let chosen = headers.get(header::SEC_WEBSOCKET_PROTOCOL);
        let packed = chosen.is_some_and(|chosen| chosen == Codec::MessagePack.subprotocol());
        let codec = if packed { Codec::MessagePack } else { Codec::Json };
        let upgraded = hyper::upgrade::on(response).await.map_err(|error| error.to_string())?;
        let Some(user) = test_credentials.user() else {
            return Err("no consumer of this application answered".to_owned());
        };
        Ok(Ok((Socket::open(upgraded, codec).await, headers, user.clone())))
    }
}

/// # Panics
/// When the application refuses the client, with the refusal.
impl IntoFuture for Connecting {
    type Output = TestClient;
    type IntoFuture = Pin<Box<dyn Future<Output = TestClient> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let place = self.place.clone();
        Box::pin(async move {
            match self.result().await {
                Ok(client) => client,
                Err(refusal) => place.fail(format_args!("expected to be let in, but was refused: {refusal}")),
            }
        })
    }
}
