//! Sending from a client: messages, frames and bytes.

use serde::Serialize;
use tokio_tungstenite::tungstenite::Message as Frame;

use super::call_site::CallSite;
use super::client::TestClient;
use super::frame::masked;
use super::received::encode;
use crate::message::Message;

impl TestClient {
    /// Sends a message. When this returns, the application can read it even if the client is dropped.
    ///
    /// # Panics
    /// The connection has ended, or the application does not read.
    #[track_caller]
    pub fn send<M: Message>(&mut self, message: &M) -> impl Future<Output = ()> + Send {
        self.send_as(M::TYPE, message)
    }

    /// Sends any data under any message type, for payloads without a message type and for invalid messages.
    ///
    /// # Panics
    /// As for [`send`](Self::send).
    #[track_caller]
    pub fn send_as<T: Serialize + Sync>(&mut self, kind: &str, data: &T) -> impl Future<Output = ()> + Send {
        self.send_with_ref(kind, None, data)
    }

    #[track_caller]
    fn send_with_ref<T: Serialize + Sync>(
        &mut self,
        kind: &str,
        reference: Option<u64>,
        data: &T,
    ) -> impl Future<Output = ()> + Send + use<T> {
        let site = self.here();
        self.send_encoded(site, kind, reference, data)
    }

    pub(super) fn send_encoded<T: Serialize + Sync>(
        &mut self,
        site: CallSite,
        kind: &str,
        reference: Option<u64>,
        data: &T,
    ) -> impl Future<Output = ()> + Send + use<T> {
        let encoded = match encode(self.socket.codec, kind, reference, Some(data)) {
            Ok(encoded) => encoded,
            Err(error) => site.fail(format_args!("`{kind}` cannot be encoded: {error}")),
        };
        self.send_frame_at(site, kind.to_owned(), encoded.into())
    }

    pub(super) fn send_frame_at(
        &mut self,
        site: CallSite,
        kind: String,
        frame: Frame,
    ) -> impl Future<Output = ()> + Send + use<> {
        let socket = self.socket.clone();
        async move {
            let problem = || format!("`{kind}` cannot be sent: the application does not read");
            if let Err(error) = site.within(problem, socket.send(frame)).await {
                site.fail(format_args!("`{kind}` cannot be sent: {error}"));
            }
        }
    }

    /// Sends a text frame.
    ///
    /// # Panics
    /// As for [`send`](Self::send).
    #[track_caller]
    pub fn send_text(&mut self, text: impl Into<String>) -> impl Future<Output = ()> + Send {
        let (site, text) = (self.here(), text.into());
        self.send_frame_at(site, "a text".to_owned(), Frame::text(text))
    }

    /// Sends a binary frame.
    ///
    /// # Panics
    /// As for [`send`](Self::send).
    #[track_caller]
    pub fn send_binary(&mut self, bytes: impl Into<Vec<u8>>) -> impl Future<Output = ()> + Send {
        let (site, bytes) = (self.here(), bytes.into());
        self.send_frame_at(site, "a binary frame".to_owned(), Frame::binary(bytes))
    }

    /// Sends one masked frame (RFC 6455 5.2) with any opcode and FIN bit, for fragments and for protocol violations.
    ///
    /// # Panics
    /// As for [`send`](Self::send).
    #[track_caller]
    pub fn send_frame(&mut self, fin: bool, opcode: u8, payload: &[u8]) -> impl Future<Output = ()> + Send {
        let (site, frame) = (self.here(), masked(fin, opcode, payload));
        self.send_bytes_at(site, frame)
    }

    /// Writes raw bytes to the stream, which need not form a frame.
    ///
    /// # Panics
    /// As for [`send`](Self::send).
    #[track_caller]
    pub fn send_bytes(&mut self, bytes: impl Into<Vec<u8>>) -> impl Future<Output = ()> + Send {
        let (site, bytes) = (self.here(), bytes.into());
        self.send_bytes_at(site, bytes)
    }

    fn send_bytes_at(&mut self, site: CallSite, bytes: Vec<u8>) -> impl Future<Output = ()> + Send + use<> {
        let socket = self.socket.clone();
        async move {
            let problem = || "bytes cannot be written: the application does not read".to_owned();
            if let Err(error) = site.within(problem, socket.write(&bytes)).await {
                site.fail(format_args!("bytes cannot be written: {error}"));
            }
        }
    }

    /// Sends a ping frame and waits for its pong.
    ///
    /// A ping is answered while a handler runs, so it may overtake messages; to wait for messages, use
    /// [`settle`](Self::settle).
    ///
    /// # Panics
    /// No pong with this payload comes.
    #[track_caller]
    pub fn ping(&mut self, payload: impl Into<Vec<u8>>) -> impl Future<Output = ()> + Send {
        let (site, payload) = (self.here(), payload.into());
        let sending = self.send_frame_at(site.clone(), "a ping".to_owned(), Frame::Ping(payload.clone().into()));
        let socket = self.socket.clone();
        async move {
            sending.await;
            let pong = socket.wait(|state| match state.pongs.pop_front() {
                Some(pong) => Some(Ok(pong)),
                None => state.end.is_some().then(|| Err(state.ended())),
            });
            match site.within(|| "expected a pong, but none came".to_owned(), pong).await {
                Ok(pong) if pong == payload => {}
                Ok(pong) => site.fail(format_args!("expected a pong with {payload:?}, but it has {pong:?}")),
                Err(ended) => site.fail(format_args!("expected a pong, but {ended}")),
            }
        }
    }
}
