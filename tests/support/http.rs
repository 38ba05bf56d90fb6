//! HTTP without a client library.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::server::Server;
use crate::transport::Stream;
use crate::wait::soon;

/// An HTTP response.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, of the length that `Content-Length` states.
    pub body: String,
}

impl Answer {
    /// Returns the value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Parses the body as JSON.
    ///
    /// # Panics
    /// If it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Sends a GET request for `path`.
///
/// # Panics
/// If no answer arrives.
pub async fn get(server: &Server, path: &str) -> Answer {
    request(server, "GET", path).await
}

/// Sends a request with another method and without a body.
///
/// # Panics
/// If no answer arrives.
pub async fn request(server: &Server, method: &str, path: &str) -> Answer {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut stream = server.reach().await;
    soon("sending", stream.write_all(request.as_bytes())).await.expect("the server reads");
    read_answer(&mut stream, &mut Vec::new()).await
}

/// Reads a response; bytes after it stay in `read`.
///
/// # Panics
/// If the stream ends before.
pub async fn read_answer(stream: &mut Box<dyn Stream>, read: &mut Vec<u8>) -> Answer {
    soon("an HTTP response", async {
        let end = loop {
            if let Some(at) = read.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            assert!(more(stream, read).await, "the stream ended within the headers: {read:?}");
        };
        let head = String::from_utf8(read.drain(..end + 4).collect()).expect("UTF-8");
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length: usize = length.map_or(0, |(_, value)| value.parse().expect("a length"));
        while read.len() < length {
            assert!(more(stream, read).await, "the stream ended within the body: {read:?}");
        }
        let body = String::from_utf8(read.drain(..length).collect()).expect("UTF-8");
        Answer { status: status.expect("a status"), headers, body }
    })
    .await
}

async fn more(stream: &mut Box<dyn Stream>, read: &mut Vec<u8>) -> bool {
    stream.read_buf(read).await.is_ok_and(|read| read > 0)
}
