//! A client of the chat that knows nothing but its protocol.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::ChatServer;
use crate::wait::soon;

/// A user's connection to the chat.
#[derive(Debug)]
pub struct Talker {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    last_ref: u64,
    /// The data of the `welcome`.
    pub welcome: Value,
    /// The subprotocol that was chosen.
    pub protocol: Option<String>,
}

/// A handshake that was refused.
#[derive(Debug)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The error object.
    pub error: Value,
}

impl Talker {
    /// Connects as `user` and is welcomed.
    ///
    /// # Panics
    /// When that fails.
    pub async fn connect(chat: &ChatServer, user: &str) -> Self {
        Self::at(chat, &format!("/ws/{user}"), &[]).await.expect("the handshake succeeds")
    }

    /// Connects at `path`, offering these subprotocols, and is welcomed, or refused before the upgrade.
    ///
    /// # Errors
    /// What HTTP says instead.
    ///
    /// # Panics
    /// When something else goes wrong.
    pub async fn at(chat: &ChatServer, path: &str, protocols: &[&str]) -> Result<Self, Refusal> {
        Self::at_port(chat.port(), path, protocols).await
    }

    /// As [`at`](Self::at), wherever a chat listens on 127.0.0.1.
    ///
    /// # Errors
    /// What HTTP says instead.
    ///
    /// # Panics
    /// When something else goes wrong.
    pub async fn at_port(port: u16, path: &str, protocols: &[&str]) -> Result<Self, Refusal> {
        let url = format!("ws://127.0.0.1:{port}{path}");
        let mut request = url.into_client_request().expect("a request");
        if !protocols.is_empty() {
            let value = protocols.join(", ").parse().expect("a header");
            request.headers_mut().insert("sec-websocket-protocol", value);
        }
        let (socket, answer) = match soon("a handshake", connect_async(request)).await {
            Ok(opened) => opened,
            Err(Error::Http(answer)) => {
                let body = answer.body().clone().unwrap_or_default();
                return Err(Refusal {
                    status: answer.status().as_u16(),
                    error: serde_json::from_slice::<Value>(&body).map_or(Value::Null, |body| body["error"].clone()),
                });
            }
            Err(error) => panic!("{error}"),
        };
        let protocol = answer.headers().get("sec-websocket-protocol");
        let protocol = protocol.map(|name| name.to_str().expect("a name").to_owned());
        let mut talker = Self { socket, last_ref: 0, welcome: Value::Null, protocol };
        if talker.protocol.is_some() {
            talker.expect("agentcore.welcome").await;
        }
        talker.welcome = talker.expect("welcome").await;
        Ok(talker)
    }

    /// Connects as `user` and joins `room`.
    ///
    /// # Panics
    /// When that fails.
    pub async fn in_room(chat: &ChatServer, user: &str, room: &str) -> Self {
        let mut talker = Self::connect(chat, user).await;
        talker.join(room).await;
        talker
    }

    /// Sends a text as it is.
    ///
    /// # Panics
    /// When the connection is gone.
    pub async fn text(&mut self, text: impl Into<String>) {
        soon("sending", self.socket.send(Message::text(text.into()))).await.expect("the connection is open");
    }

    /// Sends a message without a `ref`.
    ///
    /// # Panics
    /// When the connection is gone.
    pub async fn say(&mut self, kind: &str, data: Value) {
        self.text(json!({ "type": kind, "data": data }).to_string()).await;
    }

    /// Sends a message with a `ref`, and reads to its answer: the data of the reply, and what came before.
    ///
    /// # Panics
    /// When an error is answered.
    pub async fn ask(&mut self, kind: &str, data: Value) -> (Vec<Value>, Value) {
        let (before, answer) = self.answered(kind, data).await;
        assert_eq!(answer["type"], "reply", "{answer}");
        (before, answer["data"].clone())
    }

    /// As [`ask`](Self::ask), where the reply comes first.
    ///
    /// # Panics
    /// When something else does.
    pub async fn reply(&mut self, kind: &str, data: Value) -> Value {
        let (before, reply) = self.ask(kind, data).await;
        assert_eq!(before, Vec::<Value>::new());
        reply
    }

    /// Sends a message with a `ref` that is refused, and reads the data of the error, which comes first.
    ///
    /// # Panics
    /// When it is not refused.
    pub async fn refused(&mut self, kind: &str, data: Value) -> Value {
        let (before, answer) = self.answered(kind, data).await;
        assert_eq!((before, &answer["type"]), (vec![], &json!("error")), "{answer}");
        assert_eq!(answer["data"]["message_type"], kind, "{answer}");
        answer["data"].clone()
    }

    async fn answered(&mut self, kind: &str, data: Value) -> (Vec<Value>, Value) {
        self.last_ref += 1;
        let reference = self.last_ref;
        self.text(json!({ "type": kind, "data": data, "ref": reference }).to_string()).await;
        let mut before = Vec::new();
        loop {
            let message = self.next().await;
            if message["ref"] == reference {
                return (before, message);
            }
            before.push(message);
        }
    }

    /// The next message.
    ///
    /// # Panics
    /// When the connection ends.
    pub async fn next(&mut self) -> Value {
        loop {
            match soon("a message", self.socket.next()).await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).expect("JSON"),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("{other:?} instead of a message"),
            }
        }
    }

    /// The data of the next message, which is of this kind.
    ///
    /// # Panics
    /// When it is of another.
    pub async fn expect(&mut self, kind: &str) -> Value {
        let message = self.next().await;
        assert_eq!(message["type"], kind, "{message}");
        message["data"].clone()
    }

    /// Makes sure that nothing has come that was not read.
    ///
    /// # Panics
    /// When something has.
    pub async fn hears_nothing(&mut self) {
        self.text(r#"{"type":"ping"}"#).await;
        assert_eq!(self.next().await, json!({ "type": "pong" }));
    }

    /// Joins a room and reads all that answers it; the messages of its history come back.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn join(&mut self, room: &str) -> Vec<Value> {
        assert_eq!(self.reply("join_room", json!({ "room": room })).await["room"], room);
        assert_eq!(self.expect("room_info").await["room"], room);
        let history = self.expect("message_history").await;
        assert_eq!(history["room"], room);
        history["messages"].as_array().expect("a list").clone()
    }

    /// Posts a line in a room that this connection is in, and reads its own copy.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn post(&mut self, room: &str, text: &str) -> Value {
        let (before, reply) = self.ask("chat_message", json!({ "room": room, "text": text })).await;
        assert_eq!(reply, Value::Null);
        assert_eq!((before.len(), &before[0]["type"]), (1, &json!("chat_message")), "{before:?}");
        before[0]["data"].clone()
    }

    /// Posts a line, and reads to the answer, whatever it is: the answer, and what came before.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn try_to_post(&mut self, room: &str, text: &str) -> (Vec<Value>, Value) {
        self.answered("chat_message", json!({ "room": room, "text": text })).await
    }

    /// Reads to the end: the close code that the server sends.
    ///
    /// # Panics
    /// When it sends none.
    pub async fn closed(&mut self) -> u16 {
        soon("the end", async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
                    Some(Ok(_)) => {}
                    other => panic!("{other:?} instead of a close frame"),
                }
            }
        })
        .await
    }

    /// Closes the connection and waits for the server's end of it.
    ///
    /// # Panics
    /// When that does not come.
    pub async fn close(mut self) {
        drop(soon("closing", self.socket.close(None)).await);
        soon("the end", async { while let Some(Ok(_)) = self.socket.next().await {} }).await;
    }
}
