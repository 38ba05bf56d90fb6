//! A connected client, and how its connection behaves.

use std::fmt;
use std::sync::Arc;

use axum::http::HeaderMap;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::app::TestApp;
use super::call_site::CallSite;
use super::received::Closed;
use super::socket::ClientSocket;
use crate::id::UserId;
use crate::message::Codec;

/// A client that is connected to a [`TestApp`].
///
/// It reads all the time, and keeps received messages in order until the test asks for them. Dropping it ends the
/// connection without a close frame, as when a cable is pulled; [`close`](Self::close) sends one.
///
/// An expectation must be met within 20 s, or within an hour of a paused clock. Otherwise the test fails with the line
/// of the test, the user, what was expected and what came instead.
pub struct TestClient {
    pub(super) app: TestApp,
    pub(super) socket: Arc<ClientSocket>,
    user: UserId,
    headers: HeaderMap,
    welcome: Option<Value>,
    pub(super) last_ref: u64,
}

impl fmt::Debug for TestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.socket.state();
        let inbox: Vec<_> = state.inbox.iter().map(ToString::to_string).collect();
        f.debug_struct("TestClient")
            .field("user", &self.user)
            .field("codec", &self.socket.codec)
            .field("inbox", &inbox)
            .field("end", &state.end)
            .finish_non_exhaustive()
    }
}

impl Drop for TestClient {
    fn drop(&mut self) {
        self.socket.lose();
    }
}

impl TestClient {
    pub(super) fn new(app: TestApp, socket: Arc<ClientSocket>, user: UserId, headers: HeaderMap) -> Self {
        Self { app, socket, user, headers, welcome: None, last_ref: 0 }
    }

    /// Receives the welcome, the first message of a client that offered a subprotocol.
    pub(super) async fn take_welcome(&mut self, site: &CallSite) {
        self.welcome = Some(self.take_kind(site, "agentcore.welcome").await.data);
    }

    /// Returns the caller's line, for failures of this client.
    #[track_caller]
    pub(super) fn here(&self) -> CallSite {
        CallSite::here(self.user.as_str())
    }

    /// Returns the user that the application identified.
    #[must_use]
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// Returns the codec of the connection.
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.socket.codec
    }

    /// Returns the headers of the handshake response.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the data of `agentcore.welcome`, or `None` for a client that offered no subprotocol.
    #[must_use]
    pub fn welcome(&self) -> Option<&Value> {
        self.welcome.as_ref()
    }

    /// Waits until everything that this client has sent is handled, and the messages sent to it until then have
    /// arrived.
    ///
    /// The wait is exact: a connection handles its messages in order, so one round trip shows when it is done. It ends
    /// early if the connection ends.
    ///
    /// # Panics
    /// A handler does not end, or this client is stalled.
    #[track_caller]
    pub fn settle(&mut self) -> impl Future<Output = ()> + Send {
        let site = self.here();
        async move { self.settle_at(&site).await }
    }

    pub(super) async fn settle_at(&self, site: &CallSite) {
        self.must_read(site);
        site.within(|| "a handler has not ended".to_owned(), self.socket.settle()).await;
    }

    /// Discards the messages of this type that have arrived, and those that arrive later.
    pub fn ignore(&mut self, kind: impl Into<String>) {
        let kind = kind.into();
        let mut state = self.socket.state();
        state.inbox.retain(|received| received.kind != kind);
        state.ignored.insert(kind);
    }

    /// Stops reading. Messages then fill the stream and the outbox of the connection, and after that the `overflow`
    /// policy of each message decides. Streams and buffers hold about 80 KiB in addition to `WS_MAX_OUTBOX_BYTES`.
    pub fn stall(&mut self) {
        self.socket.stall(true);
    }

    /// Reads again.
    pub fn resume(&mut self) {
        self.socket.stall(false);
    }

    /// Sends a close frame with `code`, and returns the close frame of the application.
    ///
    /// # Panics
    /// No close frame comes.
    #[track_caller]
    pub fn close(&mut self, code: u16) -> impl Future<Output = Closed> + Send {
        let site = self.here();
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        let sending = self.send_frame_at(site.clone(), "a close frame".to_owned(), Frame::Close(Some(frame)));
        async move {
            self.must_read(&site);
            sending.await;
            self.close_frame(&site, "expected an answer to the close frame").await
        }
    }
}
