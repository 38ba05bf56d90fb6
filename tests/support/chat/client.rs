//! A client of the chat, written against its protocol only.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::server::ChatServer;
use crate::wait::soon;

/// A user's connection to the chat.
#[derive(Debug)]
pub struct ChatClient {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    last_ref: u64,
    /// The data of the `welcome` message.
    pub welcome: Value,
    /// The subprotocol that the server has chosen.
    pub protocol: Option<String>,
}

/// The response to a rejected handshake.
#[derive(Debug)]
pub struct Rejection {
    /// The HTTP status.
    pub status: u16,
    /// The error object of the body.
    pub error: Value,
}

impl ChatClient {
    /// Connects as `user` and reads the welcome.
    ///
    /// # Panics
    /// If that fails.
    pub async fn connect(chat: &ChatServer, user: &str) -> Self {
        Self::connect_to(chat, &format!("/ws/{user}"), &[]).await.expect("the handshake succeeds")
    }

    /// Connects as `user` and joins `room`.
    ///
    /// # Panics
    /// If that fails.
    pub async fn connect_and_join(chat: &ChatServer, user: &str, room: &str) -> Self {
        let mut client = Self::connect(chat, user).await;
        client.join(room).await;
        client
    }

    /// Connects to `path`, offering these subprotocols, and reads the welcome.
    ///
    /// # Errors
    /// The HTTP response, if the server rejects the upgrade.
    ///
    /// # Panics
    /// If another error occurs.
    pub async fn connect_to(chat: &ChatServer, path: &str, protocols: &[&str]) -> Result<Self, Rejection> {
        Self::connect_to_port(chat.port(), path, protocols).await
    }

    /// As [`connect_to`](Self::connect_to), for any chat on 127.0.0.1.
    ///
    /// # Errors
    /// The HTTP response, if the server rejects the upgrade.
    ///
    /// # Panics
    /// If another error occurs.
    pub async fn connect_to_port(port: u16, path: &str, protocols: &[&str]) -> Result<Self, Rejection> {
        let url = format!("ws://127.0.0.1:{port}{path}");
        let mut request = url.into_client_request().expect("a request");
        if !protocols.is_empty() {
            let value = protocols.join(", ").parse().expect("a header");
            request.headers_mut().insert("sec-websocket-protocol", value);
        }
        let (socket, response) = match soon("a handshake", connect_async(request)).await {
            Ok(opened) => opened,
            Err(Error::Http(response)) => {
                let body = response.body().clone().unwrap_or_default();
                return Err(Rejection {
                    status: response.status().as_u16(),
                    error: serde_json::from_slice::<Value>(&body).map_or(Value::Null, |body| body["error"].clone()),
                });
            }
            Err(error) => panic!("{error}"),
        };
        let protocol = response.headers().get("sec-websocket-protocol");
        let protocol = protocol.map(|name| name.to_str().expect("a name").to_owned());
        let mut client = Self { socket, last_ref: 0, welcome: Value::Null, protocol };
        if client.protocol.is_some() {
            client.expect("agentcore.welcome").await;
        }
        client.welcome = client.expect("welcome").await;
        Ok(client)
    }

    /// Sends a text frame.
    ///
    /// # Panics
    /// If the connection is closed.
    pub async fn send_text(&mut self, text: impl Into<String>) {
        soon("sending", self.socket.send(Message::text(text.into()))).await.expect("the connection is open");
    }

    /// Sends a message without a `ref`.
    ///
    /// # Panics
    /// If the connection is closed.
    pub async fn send(&mut self, message_type: &str, data: Value) {
        self.send_text(json!({ "type": message_type, "data": data }).to_string()).await;
    }

    /// Sends a message with a `ref`, and returns the data of its reply, which must be the next message.
    ///
    /// # Panics
    /// If another message or an error arrives first.
    pub async fn request(&mut self, message_type: &str, data: Value) -> Value {
        let (earlier, reply) = self.request_with_earlier(message_type, data).await;
        assert_eq!(earlier, Vec::<Value>::new());
        reply
    }

    /// Sends a message with a `ref`, and returns the messages that arrive before its reply, and the data of the reply.
    ///
    /// # Panics
    /// If the answer is an error.
    pub async fn request_with_earlier(&mut self, message_type: &str, data: Value) -> (Vec<Value>, Value) {
        let (earlier, answer) = self.try_request(message_type, data).await;
        assert_eq!(answer["type"], "reply", "{answer}");
        (earlier, answer["data"].clone())
    }

    /// Sends a message with a `ref`, and returns the data of the error that answers it, which must be the next message.
    ///
    /// # Panics
    /// If the answer is not an error.
    pub async fn request_error(&mut self, message_type: &str, data: Value) -> Value {
        let (earlier, answer) = self.try_request(message_type, data).await;
        assert_eq!((earlier, &answer["type"]), (vec![], &json!("error")), "{answer}");
        assert_eq!(answer["data"]["message_type"], message_type, "{answer}");
        answer["data"].clone()
    }

    /// Sends a message with a `ref`, and returns the messages that arrive before its answer, and the answer: a reply or
    /// an error.
    ///
    /// # Panics
    /// If no answer arrives.
    pub async fn try_request(&mut self, message_type: &str, data: Value) -> (Vec<Value>, Value) {
        self.last_ref += 1;
        let reference = self.last_ref;
        self.send_text(json!({ "type": message_type, "data": data, "ref": reference }).to_string()).await;
        let mut earlier = Vec::new();
        loop {
            let message = self.next().await;
            if message["ref"] == reference {
                return (earlier, message);
            }
            earlier.push(message);
        }
    }

    /// Reads the next message.
    ///
    /// # Panics
    /// If the connection ends.
    pub async fn next(&mut self) -> Value {
        loop {
            match soon("a message", self.socket.next()).await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).expect("JSON"),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("{other:?} instead of a message"),
            }
        }
    }

    /// Reads the next message, which must have this type, and returns its data.
    ///
    /// # Panics
    /// If it has another type.
    pub async fn expect(&mut self, message_type: &str) -> Value {
        let message = self.next().await;
        assert_eq!(message["type"], message_type, "{message}");
        message["data"].clone()
    }

    /// Reads until a message of this type, and returns its data.
    ///
    /// # Panics
    /// If the connection ends before.
    pub async fn expect_message(&mut self, message_type: &str) -> Value {
        loop {
            let message = self.next().await;
            if message["type"] == message_type {
                return message["data"].clone();
            }
        }
    }

    /// Checks with a ping that no message is left to read.
    ///
    /// # Panics
    /// If a message is.
    pub async fn expect_nothing(&mut self) {
        self.send_text(r#"{"type":"ping"}"#).await;
        assert_eq!(self.next().await, json!({ "type": "pong" }));
    }

    /// Joins a room, reads all answers, and returns the messages of its history.
    ///
    /// # Panics
    /// If the server refuses.
    pub async fn join(&mut self, room: &str) -> Vec<Value> {
        assert_eq!(self.request("join_room", json!({ "room": room })).await["room"], room);
        assert_eq!(self.expect("room_info").await["room"], room);
        let history = self.expect("message_history").await;
        assert_eq!(history["room"], room);
        history["messages"].as_array().expect("a list").clone()
    }

    /// Posts a message in a joined room, and returns the data of the client's own copy.
    ///
    /// # Panics
    /// If the server refuses.
    pub async fn post(&mut self, room: &str, text: &str) -> Value {
        let message = json!({ "room": room, "text": text });
        let (earlier, reply) = self.request_with_earlier("chat_message", message).await;
        assert_eq!(reply, Value::Null);
        assert_eq!((earlier.len(), &earlier[0]["type"]), (1, &json!("chat_message")), "{earlier:?}");
        earlier[0]["data"].clone()
    }

    /// Posts a message, and returns the messages that arrive before the answer, and the answer: a reply or an error.
    ///
    /// # Panics
    /// If no answer arrives.
    pub async fn try_post(&mut self, room: &str, text: &str) -> (Vec<Value>, Value) {
        self.try_request("chat_message", json!({ "room": room, "text": text })).await
    }

    /// Reads until the server closes the connection, and returns its close code.
    ///
    /// # Panics
    /// If the server sends no close frame.
    pub async fn close_code(&mut self) -> u16 {
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

    /// Closes the connection and waits until the server has closed it too.
    ///
    /// # Panics
    /// If the server does not.
    pub async fn close(mut self) {
        drop(soon("closing", self.socket.close(None)).await);
        soon("the end", async { while let Some(Ok(_)) = self.socket.next().await {} }).await;
    }
}
