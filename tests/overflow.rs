//! The messages that a stalled connection gets later, under each policy, and that no other connection notices.
//!
//! A test program of its own: a thousand clients would delay other tests.
#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test stops where it fails")]

use std::time::Duration;

use agentcore::prelude::*;
use serde_json::{Value, json};
use tests::client::Client;
use tests::raw::{Frame, PING, PONG, Raw, TEXT, frame};
use tests::server::{Server, settings};
use tests::transport::{Transport, dress};
use tests::wait::{until, until_equal};
use tokio::net::TcpSocket;
use tokio_tungstenite::tungstenite::Message;

const BOUND: usize = 256 * 1024;

#[message("oldest", overflow = drop_oldest)]
struct Oldest {
    number: u64,
    filler: String,
}

#[message("newest", overflow = drop_newest)]
struct Newest {
    number: u64,
    filler: String,
}

#[message("cursor", overflow = latest(user))]
struct Cursor {
    user: u64,
    number: u64,
    filler: String,
}

#[message("line")]
struct Line {
    number: u64,
    filler: String,
}

#[message("ask")]
struct Ask {}

#[message("burst")]
struct Burst {
    from: u64,
    count: u64,
}

#[message("answer")]
struct Answer {
    text: String,
}

#[consumer(path = "/market/{user_id}", sends(Answer, Oldest))]
struct Market {
    #[path]
    #[user]
    user_id: UserId,
}

#[consumer]
impl Market {
    #[on(connect)]
    async fn hello(&mut self, cx: &Context<Self>) -> Result<()> {
        if self.user_id.as_str() != "outside" {
            cx.join("g").await?;
        }
        Ok(())
    }

    #[on("burst")]
    async fn burst(&mut self, cx: &Context<Self>, burst: Burst) -> Result<()> {
        for number in burst.from..burst.from + burst.count {
            cx.group("g").send(&Oldest { number, filler: filler() }).await?;
        }
        Ok(())
    }

    #[on("ask")]
    async fn ask(&mut self, _: Ask) -> Answer {
        Answer { text: self.user_id.to_string() }
    }
}

async fn market() -> Server {
    market_with(BOUND, 2).await
}

async fn market_with(bound: usize, workers: usize) -> Server {
    let mut settings = settings();
    (settings.ws_max_outbox_bytes, settings.workers) = (bound, workers);
    // The stalled client reads nothing for as long as the test wants.
    settings.ws_write_timeout = Duration::from_secs(600);
    Server::with_small_buffers(AgentCore::new(settings).consumer::<Market>()).await
}

/// Connects a member with small socket buffers.
async fn narrow(server: &Server) -> Raw {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let socket = socket.connect(server.address).await.expect("the server accepts");
    let mut raw = Raw::over(dress(Transport::Tcp, socket).await);
    raw.upgrade("/market/slow").await;
    until("it has joined", async || server.manager.group_count("g").await.is_ok_and(|count| count > 0)).await;
    raw
}

fn filler() -> String {
    "x".repeat(1000)
}

/// Sends numbered messages until the stalled member has lost `lost` of them, or had them replaced; returns the number
/// of messages.
async fn send_until(server: &Server, lost: u64, send: impl AsyncFn(u64)) -> u64 {
    let mut number = 0;
    loop {
        send(number).await;
        number += 1;
        let stats = server.manager.stats();
        if stats.dropped + stats.replaced >= lost {
            return number;
        }
        assert!(number < 1_000_000, "sockets do not take that much: {stats:?}");
        tokio::task::yield_now().await;
    }
}

/// Reads everything up to the message `end`.
async fn read_to_end(raw: &mut Raw) -> Vec<Frame> {
    let mut frames = Vec::new();
    loop {
        let frame = raw.frame().await.expect("a frame");
        if frame.first == TEXT && frame.json()["data"]["number"] == u64::MAX {
            return frames;
        }
        frames.push(frame);
    }
}

fn numbers(frames: &[Frame], kind: &str) -> Vec<u64> {
    let texts = frames.iter().filter(|frame| frame.first == TEXT).map(Frame::json);
    texts.filter(|message| message["type"] == kind).map(|m| m["data"]["number"].as_u64().expect("a number")).collect()
}

fn resyncs(frames: &[Frame]) -> Vec<(usize, Value)> {
    let texts = frames.iter().enumerate().filter(|(_, frame)| frame.first == TEXT);
    let texts = texts.map(|(at, frame)| (at, frame.json()));
    texts.filter(|(_, m)| m["type"] == "agentcore.resync").map(|(at, m)| (at, m["data"].clone())).collect()
}

/// The last message, which marks the end, is sent once the stalled member has room for it.
async fn end(server: &Server) {
    until("there is room", async || server.manager.stats().outbox_bytes < BOUND as u64 / 4).await;
    server.manager.group("g").send(&Line { number: u64::MAX, filler: String::new() }).await.expect("sent");
}

fn is_rising(numbers: &[u64]) -> bool {
    numbers.windows(2).all(|pair| pair[0] < pair[1])
}

#[tokio::test]
async fn the_oldest_are_dropped_with_one_resync() {
    let server = market().await;
    let mut slow = narrow(&server).await;
    let group = async |number| {
        let message = Oldest { number, filler: filler() };
        server.manager.group("g").send(&message).await.expect("sent");
    };
    let sent = send_until(&server, 500, group).await;
    assert!(server.manager.stats().outbox_bytes <= BOUND as u64 + 64 * 1024, "{:?}", server.manager.stats());
    let (frames, ()) = tokio::join!(read_to_end(&mut slow), end(&server));
    let dropped = server.manager.stats().dropped;
    let got = numbers(&frames, "oldest");
    assert!(is_rising(&got), "{got:?}");
    assert_eq!(got.len() as u64 + dropped, sent);
    assert_eq!(got.last(), Some(&(sent - 1)), "the newest is there");
    let told = resyncs(&frames);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0].1["groups"], &told[0].1["reason"]), (&json!(["g"]), &json!("overflow")));
}

/// Messages of one handler are joined before they are written, and a partly written chunk cannot be dropped: it must not
/// fill the whole outbox.
#[tokio::test]
async fn the_oldest_of_a_burst_are_dropped_even_in_a_small_outbox() {
    let server = market_with(64 * 1024, 1).await;
    let mut slow = narrow(&server).await;
    let mut outside = Client::connect(&server, "/market/outside").await;
    let mut sent = 0;
    while server.manager.stats().dropped < 500 {
        let answer = outside.ask("burst", json!({ "from": sent, "count": 60 })).await;
        assert_eq!(answer["type"], "reply", "{answer}");
        sent += 60;
    }
    let (frames, ()) = tokio::join!(read_to_end(&mut slow), end(&server));
    let got = numbers(&frames, "oldest");
    assert!(is_rising(&got), "{got:?}");
    assert_eq!(got.last(), Some(&(sent - 1)), "the newest is there");
    assert_eq!(got.len() as u64 + server.manager.stats().dropped, sent);
}

#[tokio::test]
async fn the_newest_are_dropped_and_one_resync_precedes_the_next_message() {
    let server = market().await;
    let mut slow = narrow(&server).await;
    let group = async |number| {
        server.manager.group("g").send(&Newest { number, filler: filler() }).await.expect("sent");
    };
    let sent = send_until(&server, 500, group).await;
    assert!(server.manager.stats().outbox_bytes <= BOUND as u64);
    let (frames, ()) = tokio::join!(read_to_end(&mut slow), end(&server));
    let got = numbers(&frames, "newest");
    assert!(is_rising(&got));
    assert_eq!(got.len() as u64 + server.manager.stats().dropped, sent);
    let told = resyncs(&frames);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].0, frames.len() - 1, "after what was taken");
}

#[tokio::test]
async fn only_the_newest_of_each_key_waits_and_nothing_is_missed() {
    let server = market().await;
    let mut slow = narrow(&server).await;
    let group = async |number| {
        let message = Cursor { user: number % 3, number, filler: filler() };
        server.manager.group("g").send(&message).await.expect("sent");
    };
    let sent = send_until(&server, 500, group).await;
    let stats = server.manager.stats();
    assert!(stats.outbox_bytes <= BOUND as u64 / 2, "no more than the soft bound and one for each key: {stats:?}");
    let (frames, ()) = tokio::join!(read_to_end(&mut slow), end(&server));
    let got = numbers(&frames, "cursor");
    assert!(is_rising(&got), "{got:?}");
    assert_eq!(got[got.len() - 3..], [sent - 3, sent - 2, sent - 1]);
    let stats = server.manager.stats();
    assert_eq!((got.len() as u64 + stats.replaced, stats.dropped), (sent, 0));
    assert_eq!(resyncs(&frames), []);
}

/// A message that may be dropped makes room for one that may not, and the order of the rest is kept.
#[tokio::test]
async fn messages_that_must_arrive_displace_those_that_may_be_dropped() {
    let server = market().await;
    let mut slow = narrow(&server).await;
    let group = async |number| {
        server.manager.group("g").send(&Oldest { number, filler: filler() }).await.expect("sent");
    };
    let sent = send_until(&server, 100, group).await;
    for number in 0..20 {
        server.manager.group("g").send(&Line { number, filler: filler() }).await.expect("sent");
    }
    let (frames, ()) = tokio::join!(read_to_end(&mut slow), end(&server));
    assert_eq!(numbers(&frames, "line"), (0..20).collect::<Vec<_>>());
    let got = numbers(&frames, "oldest");
    assert!(is_rising(&got));
    assert_eq!(got.len() as u64 + server.manager.stats().dropped, sent);
    assert_eq!(server.manager.stats().slow_consumers, 0);
}

/// Replies, errors and pongs of a client that does not read are kept when group messages are dropped.
#[tokio::test]
async fn answers_are_never_dropped() {
    let server = market().await;
    let mut slow = narrow(&server).await;
    let group = async |number| {
        server.manager.group("g").send(&Newest { number, filler: filler() }).await.expect("sent");
    };
    send_until(&server, 100, group).await;
    for reference in 0..10 {
        slow.text(&format!(r#"{{"type":"ask","ref":{reference}}}"#)).await;
        slow.text(&format!(r#"{{"type":"unknown","ref":{}}}"#, 100 + reference)).await;
    }
    slow.send(&frame(PING, b"are you there")).await;
    let handled = async || {
        let info = server.manager.batches(10).next().await.unwrap_or_default();
        info.first().map_or(0, |connection| connection.messages_in)
    };
    until_equal("messages in", 20, handled).await;
    send_until(&server, 200, group).await;
    let (frames, ()) = tokio::join!(read_to_end(&mut slow), end(&server));
    let texts: Vec<_> = frames.iter().filter(|frame| frame.first == TEXT).map(Frame::json).collect();
    let of = |kind| {
        let texts = texts.iter().filter(|message| message["type"] == kind);
        texts.map(|message| message["ref"].as_u64().expect("a ref")).collect::<Vec<_>>()
    };
    assert_eq!(of("reply"), (0..10).collect::<Vec<_>>());
    assert_eq!(of("error"), (100..110).collect::<Vec<_>>());
    assert!(frames.iter().any(|frame| frame.first == PONG && frame.payload == b"are you there"));
    assert_eq!(resyncs(&frames).len(), 1);
}

#[tokio::test]
async fn a_reply_that_does_not_fit_ends_the_connection_with_the_reason() {
    let server = market().await;
    let mut slow = narrow(&server).await;
    // Messages that must arrive fill the outbox; the replies then do not fit.
    let asking = tokio::spawn(async move {
        for number in 0.. {
            let ask = format!(r#"{{"type":"ask","ref":{number}}}"#);
            if !slow.try_send(&frame(TEXT, ask.as_bytes())).await || number > 1_000_000 {
                break;
            }
        }
        slow
    });
    until("it is closed", async || server.manager.stats().slow_consumers == 1).await;
    drop(asking.await.expect("no panic"));
}

/// A thousand members, one of which does not read: all others get everything, and the queue is bounded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_stalled_reader_does_not_affect_a_thousand_others() {
    let server = market().await;
    let mut members = Vec::new();
    for number in 0..999 {
        members.push(Client::connect(&server, &format!("/market/u{number}")).await);
    }
    let mut slow = narrow(&server).await;
    until_equal("members", 1000, async || server.manager.group_count("g").await.expect("a count")).await;
    let reading: Vec<_> = members
        .into_iter()
        .map(|mut member| {
            tokio::spawn(async move {
                let mut next = 0;
                // Not parsed: a thousand clients share the cores with the server.
                while let Some(Message::Text(text)) = member.message().await {
                    if text.starts_with(r#"{"type":"line""#) {
                        return next;
                    }
                    let expected = format!(r#"{{"type":"oldest","data":{{"number":{next},"#);
                    assert!(text.starts_with(&expected), "{} instead of {expected}", &text[..60]);
                    next += 1;
                }
                panic!("the connection ended after {next} messages");
            })
        })
        .collect();
    let mut sent = 0;
    while server.manager.stats().dropped < 5 {
        for _ in 0..4 {
            let filler = "x".repeat(8 * 1024);
            server.manager.group("g").send(&Oldest { number: sent, filler }).await.expect("sent");
            sent += 1;
        }
        // The others keep up: none of them is behind.
        until("the others have read", async || server.manager.stats().outbox_bytes <= BOUND as u64 + 64 * 1024).await;
        assert!(sent < 100_000, "sockets do not take that much");
    }
    let (frames, ()) = tokio::join!(read_to_end(&mut slow), end(&server));
    for reader in reading {
        assert_eq!(reader.await.expect("no panic"), sent);
    }
    let stats = server.manager.stats();
    assert_eq!(numbers(&frames, "oldest").len() as u64 + stats.dropped, sent);
    assert_eq!((resyncs(&frames).len(), stats.slow_consumers), (1, 0));
}

#[tokio::test]
async fn a_resync_comes_at_most_once_in_two_seconds() {
    let server = market().await;
    let mut slow = narrow(&server).await;
    let begun = tokio::time::Instant::now();
    let mut told = Vec::new();
    for round in 1..=2 {
        let group = async |number| {
            server.manager.group("g").send(&Newest { number, filler: filler() }).await.expect("sent");
        };
        send_until(&server, server.manager.stats().dropped + 10, group).await;
        loop {
            let frame = slow.frame().await.expect("a frame");
            if frame.first == TEXT && frame.json()["type"] == "agentcore.resync" {
                told.push(begun.elapsed());
                break;
            }
        }
        assert_eq!(told.len(), round);
    }
    // Checks how early it may come, not how long it takes; the first may have been read late.
    assert!(told[1] - told[0] >= Duration::from_secs(1), "{told:?}");
}
