//! A client's end of a connection, and the messages it has received.
//!
//! A task reads all the time, as a real client does, so a test that looks at its messages late does not stall the
//! connection. [`ClientSocket::stall`] does.

use std::collections::{HashSet, VecDeque};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWrite;
use tokio::sync::Notify;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::received::{EncodedEnvelope, Received, encode};
use crate::message::Codec;
use crate::sync::{Mutex, MutexGuard, lock};

/// The size of the read buffer in bytes: small, so that a stalled client has not read far ahead.
const READ_BUFFER: usize = 4096;

/// The first `ref` of pings that [`ClientSocket::settle`] sends; those of requests begin at 1.
const FIRST_PING_REF: u64 = 1 << 40;

type ClientStream = WebSocketStream<TokioIo<Upgraded>>;

/// The end of a connection as its client saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ConnectionEnd {
    /// A close frame came, with its code (1005 for none) and its reason.
    Closed(u16, String),
    /// The stream ended without a close frame.
    Lost(String),
}

/// The connection of one client, shared by its `TestClient`, its reading task and `TestApp::settle`.
pub(super) struct ClientSocket {
    state: Mutex<SocketState>,
    /// Notified when a message has arrived or the connection has ended.
    changed: Notify,
    /// Held while writing, since the stream wakes only one writer.
    writing: tokio::sync::Mutex<()>,
    pub(super) codec: Codec,
}

pub(super) struct SocketState {
    /// `None` after the end of the connection, or when the client was dropped.
    stream: Option<ClientStream>,
    /// Messages that have arrived and are unread.
    pub(super) inbox: VecDeque<Received>,
    /// The end of the connection, once it has ended.
    pub(super) end: Option<ConnectionEnd>,
    pub(super) stalled: bool,
    /// Message types that are discarded.
    pub(super) ignored: HashSet<String>,
    /// Wakes the reading task.
    reader: Option<Waker>,
    last_ping: u64,
    /// The `ref` of pings without a pong so far.
    unanswered: HashSet<u64>,
    /// The payloads of pong frames that have arrived.
    pub(super) pongs: VecDeque<Bytes>,
}

impl ClientSocket {
    /// Takes an upgraded stream and starts to read it.
    pub(super) async fn open(upgraded: Upgraded, codec: Codec) -> Arc<Self> {
        let config =
            WebSocketConfig::default().read_buffer_size(READ_BUFFER).max_message_size(None).max_frame_size(None);
        let stream = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, Some(config)).await;
        let state = SocketState {
            stream: Some(stream),
            inbox: VecDeque::new(),
            end: None,
            stalled: false,
            ignored: HashSet::new(),
            reader: None,
            last_ping: FIRST_PING_REF,
            unanswered: HashSet::new(),
            pongs: VecDeque::new(),
        };
        let socket =
            Self { state: Mutex::new(state), changed: Notify::new(), writing: tokio::sync::Mutex::default(), codec };
        let socket = Arc::new(socket);
        let reading = socket.clone();
        tokio::spawn(poll_fn(move |cx| reading.poll_reading(cx)));
        socket
    }

    pub(super) fn state(&self) -> MutexGuard<'_, SocketState> {
        lock(&self.state)
    }

    /// Ends the connection without a close frame, as when a cable is pulled.
    pub(super) fn lose(&self) {
        let mut state = self.state();
        drop(state.stream.take());
        state.end.get_or_insert_with(|| ConnectionEnd::Lost("this client was dropped".to_owned()));
        self.wake(&mut state);
    }

    /// Stops or resumes reading.
    pub(super) fn stall(&self, stalled: bool) {
        let mut state = self.state();
        state.stalled = stalled;
        self.wake(&mut state);
    }

    fn wake(&self, state: &mut SocketState) {
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
        self.changed.notify_waiters();
    }

    /// Calls `find` now and after each change, until it returns something.
    pub(super) async fn wait<T>(&self, mut find: impl FnMut(&mut SocketState) -> Option<T>) -> T {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // Registered before the look, so that no change in between is missed.
            changed.as_mut().enable();
            if let Some(found) = find(&mut self.state()) {
                return found;
            }
            changed.await;
        }
    }

    /// Sends a `ping` message and waits for its pong, which arrives after everything sent before it. Returns false if
    /// the connection ends instead.
    pub(super) async fn settle(&self) -> bool {
        let reference = {
            let mut state = self.state();
            state.last_ping += 1;
            let reference = state.last_ping;
            state.unanswered.insert(reference);
            reference
        };
        let Ok(ping) = encode::<()>(self.codec, "ping", Some(reference), None) else { return false };
        if self.send(ping.into()).await.is_err() {
            return false;
        }
        self.wait(|state| {
            if !state.unanswered.contains(&reference) {
                return Some(true);
            }
            state.end.is_some().then_some(false)
        })
        .await
    }

    /// Sends a message, and returns when all of it is in the stream.
    ///
    /// # Errors
    /// The connection has ended.
    pub(super) async fn send(&self, message: Message) -> Result<(), String> {
        let _writing = self.writing.lock().await;
        let mut message = Some(message);
        poll_fn(|cx| {
            let mut state = self.state();
            let Some(stream) = &mut state.stream else { return Poll::Ready(Err(state.ended())) };
            if message.is_some() {
                ready!(stream.poll_ready_unpin(cx)).map_err(|error| error.to_string())?;
                if let Some(message) = message.take() {
                    stream.start_send_unpin(message).map_err(|error| error.to_string())?;
                }
            }
            stream.poll_flush_unpin(cx).map_err(|error| error.to_string())
        })
        .await
    }

    /// Writes raw bytes, without WebSocket framing.
    ///
    /// # Errors
    /// The connection has ended.
    pub(super) async fn write(&self, mut bytes: &[u8]) -> Result<(), String> {
        let _writing = self.writing.lock().await;
        poll_fn(|cx| {
            let mut state = self.state();
            let Some(stream) = &mut state.stream else { return Poll::Ready(Err(state.ended())) };
            let stream = stream.get_mut();
            while !bytes.is_empty() {
                let written =
                    ready!(Pin::new(&mut *stream).poll_write(cx, bytes)).map_err(|error| error.to_string())?;
                bytes = bytes.get(written..).unwrap_or_default();
            }
            Pin::new(stream).poll_flush(cx).map_err(|error: io::Error| error.to_string())
        })
        .await
    }

    /// Receives messages until the stream ends.
    fn poll_reading(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        loop {
            state.reader = Some(cx.waker().clone());
            if state.stalled {
                return Poll::Pending;
            }
            let Some(stream) = &mut state.stream else { return Poll::Ready(()) };
            match ready!(stream.poll_next_unpin(cx)) {
                Some(Ok(message)) => state.receive(message),
                Some(Err(Error::ConnectionClosed | Error::AlreadyClosed)) | None => state.lost("the stream ended"),
                Some(Err(error)) => state.lost(&error.to_string()),
            }
            self.changed.notify_waiters();
        }
    }
}

impl SocketState {
    fn receive(&mut self, message: Message) {
        let received = match message {
            Message::Text(text) => Received::from_text(&text),
            Message::Binary(bytes) => Received::from_binary(&bytes),
            Message::Pong(payload) => return self.pongs.push_back(payload),
            Message::Ping(_) | Message::Frame(_) => return,
            Message::Close(frame) => {
                let (code, reason) = frame.map_or((1005, String::new()), |f| (f.code.into(), f.reason.to_string()));
                self.end.get_or_insert(ConnectionEnd::Closed(code, reason));
                return;
            }
        };
        match received {
            Ok(received)
                if received.kind == "pong" && received.reference.is_some_and(|it| self.unanswered.remove(&it)) => {}
            Ok(received) if self.ignored.contains(&received.kind) => {}
            Ok(received) => self.inbox.push_back(received),
            Err(why) => self.lost(&format!("a message without a valid envelope came: {why}")),
        }
    }

    fn lost(&mut self, why: &str) {
        self.stream = None;
        self.end.get_or_insert_with(|| ConnectionEnd::Lost(why.to_owned()));
    }

    /// Describes the end of the connection for a failure.
    pub(super) fn ended(&self) -> String {
        match &self.end {
            None => "the connection is open".to_owned(),
            Some(ConnectionEnd::Closed(code, reason)) => format!("the connection was closed with {code} {reason}"),
            Some(ConnectionEnd::Lost(why)) => format!("the connection was lost: {why}"),
        }
    }
}

impl From<EncodedEnvelope> for Message {
    fn from(envelope: EncodedEnvelope) -> Self {
        match envelope {
            EncodedEnvelope::Text(text) => Self::text(text),
            EncodedEnvelope::Binary(bytes) => Self::binary(bytes),
        }
    }
}
