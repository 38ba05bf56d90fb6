//! A client of tokio-tungstenite that speaks JSON and uses none of this project's code.

use std::collections::VecDeque;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::server::Server;
use crate::transport::Stream;
use crate::wait::soon;

type Socket = WebSocketStream<Box<dyn Stream>>;

/// A connected client.
#[derive(Debug)]
pub struct Client {
    socket: Socket,
    /// The response to its handshake.
    pub response: Response,
    pings: u64,
    /// Messages that arrived while a reply was awaited.
    kept: VecDeque<Value>,
}

impl std::fmt::Debug for Box<dyn Stream> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stream")
    }
}

/// The close frame that a client receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The code, `None` for a close frame without one.
    pub code: Option<u16>,
    /// The reason.
    pub reason: String,
}

impl Closed {
    /// Parses the reason as JSON.
    ///
    /// # Panics
    /// If it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.reason).expect("a reason in JSON")
    }
}

impl Client {
    /// Connects to `path`.
    ///
    /// # Panics
    /// If the server refuses.
    pub async fn connect(server: &Server, path: &str) -> Self {
        Self::offer(server, path, &[]).await.expect("the handshake succeeds")
    }

    /// Connects to `path` and offers subprotocols.
    ///
    /// # Errors
    /// If the server refuses.
    ///
    /// # Panics
    /// If it does not answer.
    pub async fn offer(server: &Server, path: &str, protocols: &[&str]) -> Result<Self, Box<Error>> {
        let mut request = format!("ws://localhost{path}").into_client_request().expect("a request");
        if !protocols.is_empty() {
            let value = protocols.join(", ").parse().expect("a header");
            request.headers_mut().insert("sec-websocket-protocol", value);
        }
        Self::over(server.reach().await, request).await
    }

    /// Sends the test's own handshake over a stream.
    ///
    /// # Errors
    /// If the server refuses.
    ///
    /// # Panics
    /// If it does not answer.
    pub async fn over(stream: Box<dyn Stream>, request: Request) -> Result<Self, Box<Error>> {
        let (socket, response) =
            soon("a handshake", tokio_tungstenite::client_async(request, stream)).await.map_err(Box::new)?;
        Ok(Self { socket, response, pings: 0, kept: VecDeque::new() })
    }

    /// Sends a message of `kind` with `data`.
    ///
    /// # Panics
    /// If the connection is closed.
    pub async fn say(&mut self, kind: &str, data: Value) {
        self.text(&json!({ "type": kind, "data": data }).to_string()).await;
    }

    /// Sends a request and waits for its reply; other messages are kept for [`next`](Self::next).
    ///
    /// # Panics
    /// If no reply arrives.
    pub async fn ask(&mut self, kind: &str, data: Value) -> Value {
        self.pings += 1;
        let reference = 1_000_000 + self.pings;
        self.text(&json!({ "type": kind, "data": data, "ref": reference }).to_string()).await;
        loop {
            let answer = self.arrival().await;
            if answer["ref"] == reference {
                return answer;
            }
            self.kept.push_back(answer);
        }
    }

    /// Sends a text unchanged.
    ///
    /// # Panics
    /// If the connection is closed.
    pub async fn text(&mut self, text: &str) {
        self.send(Message::text(text)).await;
    }

    /// Sends a WebSocket message.
    ///
    /// # Panics
    /// If the connection is closed.
    pub async fn send(&mut self, message: Message) {
        soon("sending", self.socket.send(message)).await.expect("the connection is open");
    }

    /// Returns the next text, parsed.
    ///
    /// # Panics
    /// If something else arrives.
    pub async fn next(&mut self) -> Value {
        match self.kept.pop_front() {
            Some(kept) => kept,
            None => self.arrival().await,
        }
    }

    async fn arrival(&mut self) -> Value {
        match self.message().await {
            Some(Message::Text(text)) => serde_json::from_str(&text).expect("JSON"),
            other => panic!("{other:?} instead of a text"),
        }
    }

    /// Returns the next text of `kind` and skips others.
    ///
    /// # Panics
    /// If none arrives.
    pub async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next().await;
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// Returns the next frame except pings and pongs; `None` at the end.
    pub async fn message(&mut self) -> Option<Message> {
        loop {
            match soon("a message", self.socket.next()).await {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) => return Some(message),
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// Expects the next frame to be a pong.
    ///
    /// # Panics
    /// If something else arrives.
    pub async fn pong(&mut self) -> Vec<u8> {
        match soon("a pong", self.socket.next()).await {
            Some(Ok(Message::Pong(payload))) => payload.to_vec(),
            other => panic!("{other:?} instead of a pong"),
        }
    }

    /// Returns everything that arrives before the answer to an application ping.
    ///
    /// # Panics
    /// If the answer does not arrive.
    pub async fn settle(&mut self) -> Vec<Value> {
        self.pings += 1;
        let reference = self.pings;
        self.text(&json!({ "type": "ping", "ref": reference }).to_string()).await;
        let mut before = Vec::new();
        loop {
            let message = self.next().await;
            if message["type"] == "pong" && message["ref"] == reference {
                return before;
            }
            before.push(message);
        }
    }

    /// Returns the close frame of the server, and the messages before it.
    ///
    /// # Panics
    /// If the stream ends without one.
    pub async fn closed(&mut self) -> (Vec<Value>, Closed) {
        let mut before: Vec<_> = self.kept.drain(..).collect();
        loop {
            match self.message().await {
                Some(Message::Text(text)) => before.push(serde_json::from_str(&text).expect("JSON")),
                Some(Message::Close(frame)) => {
                    let closed = match frame {
                        Some(CloseFrame { code, reason }) => {
                            Closed { code: Some(code.into()), reason: reason.to_string() }
                        }
                        None => Closed { code: None, reason: String::new() },
                    };
                    // The answer goes out, and the stream ends.
                    while self.message().await.is_some() {}
                    return (before, closed);
                }
                other => panic!("{other:?} instead of a close frame"),
            }
        }
    }

    /// Closes with a code and waits for the end.
    ///
    /// # Panics
    /// If the server does not answer.
    pub async fn close(&mut self, code: u16) -> Closed {
        let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
        self.send(Message::Close(Some(frame))).await;
        self.closed().await.1
    }

    /// Splits the client, for tests that read and write at once.
    pub fn split(self) -> (SplitSink<Socket, Message>, SplitStream<Socket>) {
        self.socket.split()
    }
}
