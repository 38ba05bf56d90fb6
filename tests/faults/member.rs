//! A client that records all it receives and sends what the test tells it to.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tests::http::{Answer, read_answer};
use tests::raw::{CLOSE, PING, PONG, TEXT, frame, handshake};
use tests::transport::Stream;
use tests::wait::soon;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::oneshot;

use crate::application::now;
use crate::record::{Seen, Stay};

/// A connected client.
#[derive(Debug)]
pub(crate) struct Member {
    /// Its record.
    pub(crate) seen: Arc<Seen>,
    /// The next number for each of its groups.
    numbers: Mutex<HashMap<String, u64>>,
    line: Arc<Line>,
}

/// The state that it shares with its reader task.
#[derive(Debug)]
struct Line {
    writer: tokio::sync::Mutex<WriteHalf<Box<dyn Stream>>>,
    asked: Mutex<HashMap<u64, oneshot::Sender<Value>>>,
    next: AtomicU64,
}

impl Member {
    /// Connects a user to a node over a stream.
    ///
    /// # Errors
    /// The response of a node that refuses the connection.
    pub(crate) async fn over(mut stream: Box<dyn Stream>, name: &str, node: usize) -> Result<Self, Answer> {
        let mut read = Vec::new();
        soon("asking", stream.write_all(handshake(&format!("/hall/{name}")).as_bytes())).await.expect("it listens");
        let answer = read_answer(&mut stream, &mut read).await;
        if answer.status != 101 {
            return Err(answer);
        }
        let seen = Arc::new(Seen::new(name.to_owned(), node));
        let (reader, writer) = tokio::io::split(stream);
        let line = Arc::new(Line { writer: writer.into(), asked: Mutex::default(), next: AtomicU64::new(1) });
        let member = Self { seen: seen.clone(), numbers: Mutex::default(), line: line.clone() };
        tokio::spawn(async move {
            let how = follow(reader, read, &seen, &line).await;
            seen.end(how);
            line.asked.lock().unwrap_or_else(PoisonError::into_inner).clear();
        });
        Ok(member)
    }

    /// Joins a group; from then on it must receive all messages sent there.
    pub(crate) async fn join(&self, group: &str) {
        self.comes_into(group, "join").await;
    }

    /// Joins a group with presence.
    pub(crate) async fn enter(&self, group: &str) {
        self.comes_into(group, "enter").await;
    }

    async fn comes_into(&self, group: &str, how: &str) {
        let answer = self.ask(how, json!({ "group": group })).await.expect("the connection is open");
        assert_eq!(answer["type"], "reply", "{answer}");
        self.seen.log().stays.push(Stay { group: group.to_owned(), from: now(), to: None });
    }

    /// Leaves a group.
    pub(crate) async fn leave(&self, group: &str) {
        for stay in self.seen.log().stays.iter_mut().filter(|stay| stay.group == group && stay.to.is_none()) {
            stay.to = Some(now());
        }
        let answer = self.ask("leave", json!({ "group": group })).await.expect("the connection is open");
        assert_eq!(answer["type"], "reply", "{answer}");
    }

    /// Sends its next number to a group; returns false if the connection is closed.
    pub(crate) async fn say(&self, group: &str, padding: usize) -> bool {
        let number = {
            let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
            let next = numbers.entry(group.to_owned()).or_default();
            let number = *next;
            *next += 1;
            number
        };
        let data = json!({ "group": group, "number": number, "padding": "x".repeat(padding) });
        self.line.text(&json!({ "type": "say", "data": data }).to_string()).await
    }

    /// Returns how many numbers it has sent to a group.
    pub(crate) fn said(&self, group: &str) -> u64 {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).get(group).copied().unwrap_or(0)
    }

    /// Returns the groups it has sent to.
    pub(crate) fn spoken(&self) -> Vec<String> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Returns the first group it is in; `None` while it moves between groups.
    pub(crate) fn is_in(&self) -> Option<String> {
        self.seen.log().stays.iter().find(|stay| stay.to.is_none()).map(|stay| stay.group.clone())
    }

    /// Returns the group of a client that does not move.
    pub(crate) fn home(&self) -> String {
        self.is_in().expect("it is in a group")
    }

    /// Closes the connection on purpose.
    pub(crate) async fn close(&self) {
        self.seen.log().may_end = true;
        let _ = self.line.writer.lock().await.write_all(&frame(CLOSE, &1000_u16.to_be_bytes())).await;
        let seen = &self.seen;
        tests::wait::until("the connection ends", async || !seen.is_open()).await;
    }

    /// Sends a request and waits for the reply; `None` if the connection ends first.
    pub(crate) async fn ask(&self, kind: &str, data: Value) -> Option<Value> {
        let number = self.line.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.line.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(number, answer);
        if !self.seen.is_open()
            || !self.line.text(&json!({ "type": kind, "data": data, "ref": number }).to_string()).await
        {
            return None;
        }
        soon(kind, answered).await.ok()
    }
}

impl Line {
    async fn text(&self, text: &str) -> bool {
        self.writer.lock().await.write_all(&frame(TEXT, text.as_bytes())).await.is_ok()
    }

    /// Passes a reply to the waiting request; returns false if the text is not a reply.
    fn is_answer(&self, text: &[u8]) -> bool {
        if !text.starts_with(br#"{"type":"reply""#) && !text.starts_with(br#"{"type":"error""#) {
            return false;
        }
        let Ok(answer) = serde_json::from_slice::<Value>(text) else { return false };
        let Some(number) = answer["ref"].as_u64() else { return false };
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
        asked.is_some_and(|asked| asked.send(answer).is_ok())
    }
}

/// Reads until the stream ends; returns how it ended.
async fn follow(mut reader: ReadHalf<Box<dyn Stream>>, mut read: Vec<u8>, seen: &Seen, line: &Line) -> String {
    let mut end = "without a word".to_owned();
    loop {
        let mut used = 0;
        while let Some((first, payload)) = next_frame(&read[used..]) {
            match first {
                TEXT if line.is_answer(&read[used..][payload.clone()]) => {}
                TEXT => seen.note(&read[used..][payload.clone()]),
                PING => {
                    let pong = frame(PONG, &read[used..][payload.clone()]);
                    let _ = line.writer.lock().await.write_all(&pong).await;
                }
                CLOSE => {
                    let close = &read[used..][payload.clone()];
                    let code = close.get(..2).map_or(0, |code| u16::from_be_bytes([code[0], code[1]]));
                    end = format!("{code} {}", String::from_utf8_lossy(close.get(2..).unwrap_or_default()));
                    let _ = line.writer.lock().await.write_all(&frame(CLOSE, &code.to_be_bytes())).await;
                }
                _ => {}
            }
            used += payload.end;
        }
        read.drain(..used);
        match reader.read_buf(&mut read).await {
            Ok(1..) => {}
            _ => return end,
        }
    }
}

/// Returns the first byte of the first complete frame, and the range of its payload.
fn next_frame(bytes: &[u8]) -> Option<(u8, std::ops::Range<usize>)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (length, start) = match second {
        126 => (u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?), 10),
        short => (u64::from(short), 2),
    };
    let end = start + usize::try_from(length).ok()?;
    (bytes.len() >= end).then_some((first, start..end))
}
