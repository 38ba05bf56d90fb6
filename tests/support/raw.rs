//! WebSocket without a library: the test decides each byte.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::http::{Answer, read_answer};
use crate::server::Server;
use crate::transport::Stream;
use crate::wait::soon;

/// The first byte of a complete text frame.
pub const TEXT: u8 = 0x81;
/// The first byte of a complete binary frame.
pub const BINARY: u8 = 0x82;
/// The first byte of a close frame.
pub const CLOSE: u8 = 0x88;
/// The first byte of a ping.
pub const PING: u8 = 0x89;
/// The first byte of a pong.
pub const PONG: u8 = 0x8A;

const MASK: [u8; 4] = [0x5A, 0x01, 0xFE, 0x93];

/// Returns the request of a handshake.
#[must_use]
pub fn handshake(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// Returns a masked frame.
#[must_use]
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, payload.len() as u64);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// Returns the header of a masked frame that announces `length` bytes.
#[must_use]
pub fn header(first: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ 0..=125), _) => bytes.push(0x80 | length),
        (_, Ok(length)) => {
            bytes.push(0x80 | 126);
            bytes.extend(length.to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes
}

/// Returns a close frame.
#[must_use]
pub fn close(code: u16, reason: &str) -> Vec<u8> {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend(reason.as_bytes());
    frame(CLOSE, &payload)
}

/// A frame from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The first byte.
    pub first: u8,
    /// The payload.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Returns the code and the reason of a close frame.
    ///
    /// # Panics
    /// If it is not a close frame, or has no code.
    #[must_use]
    pub fn closed(&self) -> (u16, String) {
        assert_eq!(self.first, CLOSE, "{self:?} is no close frame");
        let code = u16::from_be_bytes([self.payload[0], self.payload[1]]);
        (code, String::from_utf8(self.payload[2..].to_vec()).expect("UTF-8"))
    }

    /// Parses the payload of a text as JSON.
    ///
    /// # Panics
    /// If it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        assert_eq!(self.first, TEXT, "{self:?} is no text");
        serde_json::from_slice(&self.payload).expect("JSON")
    }
}

/// A connection on which the test decides each byte.
pub struct Raw {
    stream: Box<dyn Stream>,
    read: Vec<u8>,
}

impl std::fmt::Debug for Raw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Raw").field("read", &self.read).finish_non_exhaustive()
    }
}

impl Raw {
    /// Opens a stream, without a handshake.
    pub async fn reach(server: &Server) -> Self {
        Self { stream: server.reach().await, read: Vec::new() }
    }

    /// Wraps a stream that the test has opened.
    #[must_use]
    pub fn over(stream: impl Stream + 'static) -> Self {
        Self { stream: Box::new(stream), read: Vec::new() }
    }

    /// Sends the handshake.
    ///
    /// # Panics
    /// If the server refuses.
    pub async fn upgrade(&mut self, path: &str) {
        self.send(handshake(path).as_bytes()).await;
        let answer = read_answer(&mut self.stream, &mut self.read).await;
        assert_eq!(answer.status, 101, "{answer:?}");
    }

    /// Sends `request` with any bytes after it, and reads the answer.
    ///
    /// # Panics
    /// If none arrives.
    pub async fn handshake(server: &Server, request: &[u8]) -> (Self, Answer) {
        let mut raw = Self::reach(server).await;
        raw.send(request).await;
        let answer = read_answer(&mut raw.stream, &mut raw.read).await;
        (raw, answer)
    }

    /// Requests an upgrade with further headers, and reads the answer.
    ///
    /// # Panics
    /// If none arrives.
    pub async fn shake(&mut self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = handshake(path);
        request.truncate(request.len() - 2);
        for (name, value) in headers {
            if name.eq_ignore_ascii_case("host") {
                request = request.replace("Host: localhost\r\n", "");
            }
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        self.answer(request.as_bytes()).await
    }

    /// Sends a request and reads the answer.
    ///
    /// # Panics
    /// If none arrives.
    pub async fn answer(&mut self, request: &[u8]) -> Answer {
        self.send(request).await;
        read_answer(&mut self.stream, &mut self.read).await
    }

    /// Returns an open connection.
    ///
    /// # Panics
    /// If the server refuses.
    pub async fn open(server: &Server, path: &str) -> Self {
        let (raw, answer) = Self::handshake(server, handshake(path).as_bytes()).await;
        assert_eq!(answer.status, 101, "{answer:?}");
        raw
    }

    /// Sends bytes.
    ///
    /// # Panics
    /// If they are not accepted.
    pub async fn send(&mut self, bytes: &[u8]) {
        soon("sending", async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        })
        .await
        .expect("the peer takes bytes");
    }

    /// Sends bytes to a peer that may have closed the connection.
    pub async fn try_send(&mut self, bytes: &[u8]) -> bool {
        let sending = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        soon("sending", sending).await.is_ok()
    }

    /// Sends a text frame.
    ///
    /// # Panics
    /// If it is not accepted.
    pub async fn text(&mut self, text: &str) {
        self.send(&frame(TEXT, text.as_bytes())).await;
    }

    /// Returns the next frame, `None` at the end of the stream.
    ///
    /// # Panics
    /// If the server's frame is masked, or the stream ends within it.
    pub async fn frame(&mut self) -> Option<Frame> {
        soon("a frame", async {
            loop {
                if let Some((frame, used)) = parse(&self.read) {
                    self.read.drain(..used);
                    return Some(frame);
                }
                if !self.more().await {
                    assert!(self.read.is_empty(), "the stream ended within a frame: {:?}", self.read);
                    return None;
                }
            }
        })
        .await
    }

    /// Returns the next frame as JSON.
    ///
    /// # Panics
    /// If there is none.
    pub async fn json(&mut self) -> Value {
        self.frame().await.expect("a frame").json()
    }

    /// Returns the close frame and skips texts and pongs.
    ///
    /// # Panics
    /// If the stream ends without one.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            let frame = self.frame().await.expect("a close frame");
            if frame.first == CLOSE {
                return frame.closed();
            }
        }
    }

    /// Returns whether the stream ends now, without another frame.
    pub async fn ends(&mut self) -> bool {
        self.frame().await.is_none()
    }

    /// Reads more; returns false at the end.
    async fn more(&mut self) -> bool {
        // A reset counts as an end; the data before it matters.
        self.stream.read_buf(&mut self.read).await.is_ok_and(|read| read > 0)
    }
}

fn parse(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    assert_eq!(second & 0x80, 0, "a server's frame must not be masked");
    let (length, header) = match second {
        126 => (u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?), 10),
        short => (u64::from(short), 2),
    };
    let end = header + usize::try_from(length).ok()?;
    let payload = bytes.get(header..end)?.to_vec();
    Some((Frame { first, payload }, end))
}
