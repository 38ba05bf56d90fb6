//! What a client sends: messages, frames and bytes.

use serde::Serialize;
use tokio_tungstenite::tungstenite::Message as Frame;

use super::client::TestClient;
use super::failing::Place;
use super::frame::masked;
use super::received::pack;
use crate::message::Message;

impl TestClient {
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

    pub(super) fn deliver_at<T: Serialize + Sync>(
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

    pub(super) fn put(&mut self, place: Place, kind: String, frame: Frame) -> impl Future<Output = ()> + Send + use<> {
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
}
