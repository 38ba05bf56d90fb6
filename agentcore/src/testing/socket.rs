//! A client's end of a connection, and what has come through it.
//!
//! A task reads all the time, as a real client does: a test that looks at its messages late must not look like a client
//! that reads nothing. [`Socket::stall`] makes it one.

use std::collections::{HashSet, VecDeque};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

use super::received::{Packed, Received, pack};
use crate::message::Codec;

/// How much is read at once: little, so that a client which stops reading has not read ahead.
const READ: usize = 4096;

/// References of the kit's own pings; those of requests begin at 1.
const PINGS: u64 = 1 << 40;

type Stream = WebSocketStream<TokioIo<Upgraded>>;

/// The end of a connection, as its client saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// A close frame came: its code, 1005 for none, and its reason.
    Closed(u16, String),
    /// The stream ended without one.
    Lost(String),
}

/// One client's connection; its handle, its reading task and whoever waits for all clients share it.
pub(super) struct Socket {
    state: Mutex<State>,
    /// Something has come, or the connection has ended.
    changed: Notify,
    /// Whoever writes, one at a time: the stream wakes one only.
    writing: tokio::sync::Mutex<()>,
    pub(super) codec: Codec,
}

pub(super) struct State {
    /// `None` when it has ended, or the client was dropped.
    stream: Option<Stream>,
    /// What has come and was not looked at.
    pub(super) inbox: VecDeque<Received>,
    /// How it ended.
    pub(super) end: Option<End>,
    pub(super) stalled: bool,
    /// Types that are thrown away.
    pub(super) ignored: HashSet<String>,
    /// Wakes the reading task.
    reader: Option<Waker>,
    last_ping: u64,
    /// Pings of the kit that wait for their pong.
    unanswered: HashSet<u64>,
    /// Payloads of pong frames that came.
    pub(super) pongs: VecDeque<Bytes>,
}

impl Socket {
    /// Takes an upgraded stream and reads it from now on.
    pub(super) async fn open(upgraded: Upgraded, codec: Codec) -> Arc<Self> {
        let config = WebSocketConfig::default().read_buffer_size(READ).max_message_size(None).max_frame_size(None);
        let stream = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, Some(config)).await;
        let state = State {
            stream: Some(stream),
            inbox: VecDeque::new(),
            end: None,
            stalled: false,
            ignored: HashSet::new(),
            reader: None,
            last_ping: PINGS,
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

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Loses the socket, as when a cable is pulled: no close frame.
    pub(super) fn lose(&self) {
        let mut state = self.state();
        drop(state.stream.take());
        state.end.get_or_insert_with(|| End::Lost("this client was dropped".to_owned()));
        self.wake(&mut state);
    }

    /// Reads no more from now on, or again.
    pub(super) fn stall(&self, stalled: bool) {
        let mut state = self.state();
        state.stalled = stalled;
        self.wake(&mut state);
    }

    fn wake(&self, state: &mut State) {
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
        self.changed.notify_waiters();
    }

    /// Looks at what has come, again whenever more does, until `find` finds something.
    pub(super) async fn wait<T>(&self, mut find: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // Before the look: what comes in between is not missed.
            changed.as_mut().enable();
            if let Some(found) = find(&mut self.state()) {
                return found;
            }
            changed.await;
        }
    }

    /// Sends a ping of the application and waits for its answer, which comes after all that was on its way before: whether
    /// it came. It does not when the connection ends.
    pub(super) async fn settle(&self) -> bool {
        let reference = {
            let mut state = self.state();
            state.last_ping += 1;
            let reference = state.last_ping;
            state.unanswered.insert(reference);
            reference
        };
        let Ok(ping) = pack::<()>(self.codec, "ping", Some(reference), None) else { return false };
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

    /// Sends a message; returns when all of it is in the stream.
    ///
    /// # Errors
    /// Why it cannot.
    pub(super) async fn send(&self, message: Message) -> Result<(), String> {
        let _alone = self.writing.lock().await;
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

    /// Writes bytes as they are, past the WebSocket protocol.
    ///
    /// # Errors
    /// Why it cannot.
    pub(super) async fn write(&self, mut bytes: &[u8]) -> Result<(), String> {
        let _alone = self.writing.lock().await;
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

    /// Takes what comes, until the stream ends.
    fn poll_reading(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        loop {
            state.reader = Some(cx.waker().clone());
            if state.stalled {
                return Poll::Pending;
            }
            let Some(stream) = &mut state.stream else { return Poll::Ready(()) };
            match ready!(stream.poll_next_unpin(cx)) {
                Some(Ok(message)) => state.take(message),
                Some(Err(Error::ConnectionClosed | Error::AlreadyClosed)) | None => state.lost("the stream ended"),
                Some(Err(error)) => state.lost(&error.to_string()),
            }
            self.changed.notify_waiters();
        }
    }
}

impl State {
    fn take(&mut self, message: Message) {
        let received = match message {
            Message::Text(text) => Received::of_text(&text),
            Message::Binary(bytes) => Received::of_binary(&bytes),
            Message::Pong(payload) => return self.pongs.push_back(payload),
            Message::Ping(_) | Message::Frame(_) => return,
            Message::Close(frame) => {
                let (code, reason) = frame.map_or((1005, String::new()), |f| (f.code.into(), f.reason.to_string()));
                self.end.get_or_insert(End::Closed(code, reason));
                return;
            }
        };
        match received {
            Ok(received)
                if received.kind == "pong" && received.reference.is_some_and(|it| self.unanswered.remove(&it)) => {}
            Ok(received) if self.ignored.contains(&received.kind) => {}
            Ok(received) => self.inbox.push_back(received),
            Err(why) => self.lost(&format!("a message that is no envelope came: {why}")),
        }
    }

    fn lost(&mut self, why: &str) {
        self.stream = None;
        self.end.get_or_insert_with(|| End::Lost(why.to_owned()));
    }

    /// The end, for people.
    pub(super) fn ended(&self) -> String {
        match &self.end {
            None => "the connection is open".to_owned(),
            Some(End::Closed(code, reason)) => format!("the connection was closed with {code} {reason}"),
            Some(End::Lost(why)) => format!("the connection was lost: {why}"),
        }
    }
}

impl From<Packed> for Message {
    fn from(packed: Packed) -> Self {
        match packed {
            Packed::Text(text) => Self::text(text),
            Packed::Binary(bytes) => Self::binary(bytes),
        }
    }
}
