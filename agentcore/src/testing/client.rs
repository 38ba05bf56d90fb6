//! A connected client: what it sends, and how it behaves.

use std::fmt;
use std::sync::Arc;

use axum::http::HeaderMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::app::TestApp;
use super::expect::Closed;
use super::failing::Place;
use super::frame::masked;
use super::received::pack;
use super::socket::Socket;
use crate::error::ErrorResponse;
use crate::id::UserId;
use crate::message::{Codec, Message};

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
    last_ref: u64,
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

    /// Sends a message. When this returns the application can read it, even if the client is dropped.
    ///
    /// # Panics
    /// When the connection has ended, or the application reads nothing.
    #[track_caller]
    pub fn send<M: Message>(&mut self, message: &M) -> impl Future<Output = ()> + Send {
        self.send_as(M::TYPE, message)
    }

    /// Sends any data under any type: a payload that has no name of its own, or a mistake.
    ///
    /// # Panics
    /// As [`send`](Self::send).
    #[track_caller]
    pub fn send_as<T: Serialize + Sync>(&mut self, kind: &str, data: &T) -> impl Future<Output = ()> + Send {
        self.deliver(kind, None, data)
    }

    /// Sends a request and waits for its reply, which may be `()` for a handler that returns none. What comes before the
    /// reply is kept.
    ///
    /// # Panics
    /// When an error is answered, when the reply is no `T`, and as [`send`](Self::send).
    #[track_caller]
    pub fn request<T: DeserializeOwned>(&mut self, message: &impl Message) -> impl Future<Output = T> + Send {
        self.request_as(kind_of(message), message)
    }

    /// As [`request`](Self::request), with any data under any type.
    ///
    /// # Panics
    /// As [`request`](Self::request).
    #[track_caller]
    pub fn request_as<T: DeserializeOwned>(
        &mut self,
        kind: &str,
        data: &(impl Serialize + Sync),
    ) -> impl Future<Output = T> + Send {
        let place = self.here();
        let kind = kind.to_owned();
        let asking = self.ask(kind.clone(), data, place.clone());
        async move {
            match asking.await {
                Ok(reply) => reply,
                Err(error) => place.fail(format_args!(
                    "expected a reply to `{kind}`, but {} was answered: {}",
                    error.code, error.message
                )),
            }
        }
    }

    /// Sends a request and waits for its reply, or for the error that is answered.
    ///
    /// # Errors
    /// The error that the application answered with.
    ///
    /// # Panics
    /// When the reply is no `T`, and as [`send`](Self::send).
    #[track_caller]
    pub fn try_request<T: DeserializeOwned>(
        &mut self,
        message: &impl Message,
    ) -> impl Future<Output = Result<T, ErrorResponse<'static>>> + Send {
        self.try_request_as(kind_of(message), message)
    }

    /// As [`try_request`](Self::try_request), with any data under any type.
    ///
    /// # Errors
    /// The error that the application answered with.
    ///
    /// # Panics
    /// As [`try_request`](Self::try_request).
    #[track_caller]
    pub fn try_request_as<T: DeserializeOwned>(
        &mut self,
        kind: &str,
        data: &(impl Serialize + Sync),
    ) -> impl Future<Output = Result<T, ErrorResponse<'static>>> + Send {
        let place = self.here();
        self.ask(kind.to_owned(), data, place)
    }

    fn ask<T: DeserializeOwned>(
        &mut self,
        kind: String,
        data: &(impl Serialize + Sync),
        place: Place,
    ) -> impl Future<Output = Result<T, ErrorResponse<'static>>> + Send {
        self.last_ref += 1;
        let reference = self.last_ref;
        let sending = self.deliver_at(place.clone(), &kind, Some(reference), data);
        let socket = self.socket.clone();
        async move {
            sending.await;
            let what = || format!("expected a reply to `{kind}`, but none came");
            let found = socket.wait(|state| {
                let answers = |it: &super::received::Received| it.reference == Some(reference);
                if let Some(at) = state.inbox.iter().position(answers) {
                    return state.inbox.remove(at).map(Ok);
                }
                state.end.is_some().then(|| Err(state.ended()))
            });
            let answer = match place.within(what, found).await {
                Ok(answer) => answer,
                Err(ended) => place.fail(format_args!("expected a reply to `{kind}`, but {ended}")),
            };
            let decoded = match answer.kind.as_str() {
                "error" => answer.decode().map(Err),
                _ => answer.decode().map(Ok),
            };
            match decoded {
                Ok(decoded) => decoded,
                Err(why) => {
                    let expected = std::any::type_name::<T>();
                    place
                        .fail(format_args!("expected `{kind}` to be answered with a `{expected}`, but {why}: {answer}"))
                }
            }
        }
    }

    #[track_caller]
    fn deliver<T: Serialize + Sync>(
        &mut self,
        kind: &str,
        reference: Option<u64>,
        data: &T,
    ) -> impl Future<Output = ()> + Send + use<T> {
        let place = self.here();
        self.deliver_at(place, kind, reference, data)
    }

    fn deliver_at<T: Serialize + Sync>(
        &mut self,
        place: Place,
        kind: &str,
        reference: Option<u64>,
        data: &T,
    ) -> impl Future<Output = ()> + Send + use<T> {
        let packed = match pack(self.socket.codec, kind, reference, Some(data)) {
            Ok(packed) => packed,
            Err(error) => place.fail(format_args!("`{kind}` cannot be encoded: {error}")),
        };
        self.put(place, kind.to_owned(), packed.into())
    }

    fn put(&mut self, place: Place, kind: String, frame: Frame) -> impl Future<Output = ()> + Send + use<> {
        let socket = self.socket.clone();
        async move {
            let what = || format!("`{kind}` cannot be sent: the application reads nothing");
            if let Err(error) = place.within(what, socket.send(frame)).await {
                place.fail(format_args!("`{kind}` cannot be sent: {error}"));
            }
        }
    }

    /// Sends a text frame as it is.
    ///
    /// # Panics
    /// As [`send`](Self::send).
    #[track_caller]
    pub fn send_text(&mut self, text: impl Into<String>) -> impl Future<Output = ()> + Send {
        let (place, text) = (self.here(), text.into());
        self.put(place, "a text".to_owned(), Frame::text(text))
    }

    /// Sends a binary frame as it is.
    ///
    /// # Panics
    /// As [`send`](Self::send).
    #[track_caller]
    pub fn send_binary(&mut self, bytes: impl Into<Vec<u8>>) -> impl Future<Output = ()> + Send {
        let (place, bytes) = (self.here(), bytes.into());
        self.put(place, "a binary frame".to_owned(), Frame::binary(bytes))
    }

    /// Sends one frame (RFC 6455 5.2), masked, whatever its opcode is and whether or not it is the last of its message: for
    /// fragments, and for what no sound client sends.
    ///
    /// # Panics
    /// As [`send`](Self::send).
    #[track_caller]
    pub fn send_frame(&mut self, last: bool, opcode: u8, payload: &[u8]) -> impl Future<Output = ()> + Send {
        let (place, frame) = (self.here(), masked(last, opcode, payload));
        self.put_bytes(place, frame)
    }

    /// Writes bytes that need not be a frame.
    ///
    /// # Panics
    /// As [`send`](Self::send).
    #[track_caller]
    pub fn send_bytes(&mut self, bytes: impl Into<Vec<u8>>) -> impl Future<Output = ()> + Send {
        let (place, bytes) = (self.here(), bytes.into());
        self.put_bytes(place, bytes)
    }

    fn put_bytes(&mut self, place: Place, bytes: Vec<u8>) -> impl Future<Output = ()> + Send + use<> {
        let socket = self.socket.clone();
        async move {
            let what = || "bytes cannot be written: the application reads nothing".to_owned();
            if let Err(error) = place.within(what, socket.write(&bytes)).await {
                place.fail(format_args!("bytes cannot be written: {error}"));
            }
        }
    }

    /// Sends a ping frame and waits for its pong. It is answered while a handler runs, and may overtake messages; for the
    /// order of messages there is [`settle`](Self::settle).
    ///
    /// # Panics
    /// When no pong comes.
    #[track_caller]
    pub fn ping(&mut self, payload: impl Into<Vec<u8>>) -> impl Future<Output = ()> + Send {
        let (place, payload) = (self.here(), payload.into());
        let sending = self.put(place.clone(), "a ping".to_owned(), Frame::Ping(payload.clone().into()));
        let socket = self.socket.clone();
        async move {
            sending.await;
            let answered = socket.wait(|state| match state.pongs.pop_front() {
                Some(pong) => Some(Ok(pong)),
                None => state.end.is_some().then(|| Err(state.ended())),
            });
            match place.within(|| "expected a pong, but none came".to_owned(), answered).await {
                Ok(pong) if pong == payload => {}
                Ok(pong) => place.fail(format_args!("expected a pong with {payload:?}, but it has {pong:?}")),
                Err(ended) => place.fail(format_args!("expected a pong, but {ended}")),
            }
        }
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

fn kind_of<M: Message>(_: &M) -> &'static str {
    M::TYPE
}
