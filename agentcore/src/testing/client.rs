//! A connected client: what it sends, and how it behaves.

use std::fmt;
use std::sync::Arc;

use axum::http::HeaderMap;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::app::TestApp;
use super::expect::Closed;
use super::failing::Place;
use super::socket::Socket;
use crate::id::UserId;
use crate::message::Codec;

/// A client that is connected to a [`TestApp`].
///
/// It reads all the time, and keeps what comes until the test asks for it, in order. Dropping it loses its socket without a
/// close frame, as a cable that is pulled does; [`close`](Self::close) says goodbye.
///
/// Whatever it waits for must come within 20 s, or within an hour of a paused clock; else the test fails, with the line of the
/// test, the user, what was expected and what came instead.
pub struct TestClient {
    pub(super) app: TestApp,
    pub(super) socket: Arc<Socket>,
    user: UserId,
    headers: HeaderMap,
    welcome: Option<Value>,
    pub(super) last_ref: u64,
}

impl fmt::Debug for TestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.socket.state();
        let waiting: Vec<_> = state.inbox.iter().map(ToString::to_string).collect();
        f.debug_struct("TestClient")
            .field("user", &self.user)
            .field("codec", &self.socket.codec)
            .field("waiting", &waiting)
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
    pub(super) fn new(app: TestApp, socket: Arc<Socket>, user: UserId, headers: HeaderMap) -> Self {
        Self { app, socket, user, headers, welcome: None, last_ref: 0 }
    }

    /// Takes the welcome, the first message of a client that offered a subprotocol.
    pub(super) async fn take_welcome(&mut self, place: &Place) {
        self.welcome = Some(self.take_kind(place, "agentcore.welcome").await.data);
    }

    /// Where a panic stands, and whose it is.
    #[track_caller]
    pub(super) fn here(&self) -> Place {
        Place::here(self.user.as_str())
    }

    /// As whom the application has let it in.
    #[must_use]
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// The format it speaks.
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.socket.codec
    }

    /// The headers of the application's answer to the handshake.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The data of `agentcore.welcome`; `None` for a client that offered no subprotocol.
    #[must_use]
    pub fn welcome(&self) -> Option<&Value> {
        self.welcome.as_ref()
    }

    /// Waits until all that this client has sent is handled, and what was on its way to it then has come.
    ///
    /// Exact, by a round trip: messages of a connection are handled one after the other. It ends at once when the
    /// connection has.
    ///
    /// # Panics
    /// When a handler does not end, and for a client that was stalled.
    #[track_caller]
    pub fn settle(&mut self) -> impl Future<Output = ()> + Send {
        let place = self.here();
        async move { self.settle_at(&place).await }
    }

    pub(super) async fn settle_at(&self, place: &Place) {
        self.must_read(place);
        place.within(|| "a handler has not ended".to_owned(), self.socket.settle()).await;
    }

    /// Throws away what has come, and will come, of this type.
    pub fn ignore(&mut self, kind: impl Into<String>) {
        let kind = kind.into();
        let mut state = self.socket.state();
        state.inbox.retain(|received| received.kind != kind);
        state.ignored.insert(kind);
    }

    /// Reads nothing from now on: the stream fills, then what the application keeps for this client, and then the
    /// message's `overflow` policy decides. Some 80 KiB fit before the latter, beside `WS_MAX_OUTBOX_BYTES`.
    pub fn stall(&mut self) {
        self.socket.stall(true);
    }

    /// Reads again.
    pub fn resume(&mut self) {
        self.socket.stall(false);
    }

    /// Says goodbye with this code, and waits for the application's own close frame.
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn close(&mut self, code: u16) -> impl Future<Output = Closed> + Send {
        let place = self.here();
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        let sending = self.put(place.clone(), "a close frame".to_owned(), Frame::Close(Some(frame)));
        async move {
            self.must_read(&place);
            sending.await;
            self.end(&place, "expected an answer to the close frame").await
        }
    }
}
