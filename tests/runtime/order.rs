//! The order of messages under load: all clients join, leave and send at once.

use std::collections::HashMap;

use agentcore::prelude::*;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tests::client::Client;
use tests::room::room;
use tests::server::{Server, settings};
use tests::wait::soon;
use tokio_tungstenite::tungstenite::Message;

use crate::{connect, join, nothing_is_left};

const SENDERS: usize = 8;
const STEPS: u64 = 400;
const EVERYONE: u64 = 1_000_000;

#[message("end")]
struct End;

#[message("posted")]
struct Numbered {
    from: String,
    text: u64,
}

/// A pseudo-random number generator that is the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Numbers to groups and users, and numbers to everyone, each in order.
fn streams(numbers: &[u64]) -> (Vec<u64>, Vec<u64>) {
    numbers.iter().partition(|number| **number < EVERYONE)
}

/// The steps of a sender in order, and the numbers that every remaining member must receive.
fn script(seed: u64) -> (Vec<String>, Vec<u64>) {
    let mut dice = Dice((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let (mut steps, mut expected) = (Vec::new(), Vec::new());
    for number in 0..STEPS {
        let step = match dice.roll(10) {
            0 => json!({ "type": "join", "data": { "group": "g" } }),
            1 => json!({ "type": "leave", "data": { "group": "g" } }),
            roll => {
                // Messages to a group and to everyone have no common order, so they are numbered from different starts.
                let number = if roll == 9 { number + EVERYONE } else { number };
                expected.push(number);
                let data = match roll {
                    2..=5 => json!({ "group": "g", "text": number }),
                    6 => json!({ "group": "g", "text": number, "except_self": true }),
                    7 => json!({ "group": "g", "text": number, "except_user": "nobody" }),
                    8 => json!({ "user": "stayer", "text": number }),
                    _ => json!({ "text": number }),
                };
                json!({ "type": "post", "data": data })
            }
        };
        steps.push(step.to_string());
    }
    (steps, expected)
}

/// Reads until the end; returns the numbers of each sender in the order in which they arrived.
async fn read_all(
    mut stream: impl futures_util::Stream<Item = Result<Message, tokio_tungstenite::tungstenite::Error>> + Unpin,
    handled: tokio::sync::oneshot::Sender<()>,
) -> HashMap<String, Vec<u64>> {
    let (mut got, mut handled) = (HashMap::<String, Vec<u64>>::new(), Some(handled));
    loop {
        let message = soon("a message", stream.next()).await.expect("the connection is open").expect("a message");
        let Message::Text(text) = message else { continue };
        let message: Value = serde_json::from_str(&text).expect("JSON");
        match message["type"].as_str() {
            Some("end") => return got,
            Some("pong") => drop(handled.take().map(|handled| handled.send(()))),
            Some("posted") => {
                let from = message["data"]["from"].as_str().expect("a sender").to_owned();
                got.entry(from).or_default().push(message["data"]["text"].as_u64().expect("a number"));
            }
            Some("names") => {}
            other => panic!("{other:?}: {message}"),
        }
    }
}

/// Sends all steps without waiting, then a ping whose answer shows that all were handled.
fn act(
    client: Client,
    steps: Vec<String>,
) -> (tokio::sync::oneshot::Receiver<()>, tokio::task::JoinHandle<HashMap<String, Vec<u64>>>) {
    let (mut sink, stream) = client.split();
    let (handled, all_handled) = tokio::sync::oneshot::channel();
    let reading = tokio::spawn(read_all(stream, handled));
    tokio::spawn(async move {
        for chunk in steps.chunks(16) {
            for step in chunk {
                sink.feed(Message::text(step.clone())).await.expect("feeding");
            }
            sink.flush().await.expect("flushing");
            tokio::task::yield_now().await;
        }
        sink.send(Message::text(r#"{"type":"ping"}"#)).await.expect("sending");
        // The sink must live until the reader has finished.
        std::future::pending::<()>().await;
    });
    (all_handled, reading)
}

async fn stress(workers: usize) {
    let mut settings = settings();
    settings.workers = workers;
    settings.ws_max_outbox_bytes = 64 << 20;
    let (app, ..) = room(settings);
    let server = Server::start(app).await;
    let mut stayers = Vec::new();
    for _ in 0..3 {
        let mut client = connect(&server, "stayer").await;
        join(&mut client, "g").await;
        stayers.push(act(client, Vec::new()));
    }
    let mut senders = Vec::new();
    let mut expected = HashMap::new();
    for number in 0..SENDERS {
        let user = format!("s{number}");
        let (steps, numbers) = script(number as u64);
        let mut client = connect(&server, &user).await;
        client.settle().await;
        senders.push((user.clone(), act(client, steps)));
        expected.insert(user, numbers);
    }
    // Meanwhile, a thread that is not a worker queries the manager.
    let manager = server.manager.clone();
    let asking = tokio::spawn(async move {
        loop {
            manager.group_members("g").await.expect("a list");
            tokio::task::yield_now().await;
        }
    });
    for (_, (handled, _)) in &mut senders {
        soon("all is handled", handled).await.expect("the answer to a ping");
    }
    asking.abort();
    server.manager.everyone().send(&End).await.expect("an end");
    for (_, reading) in stayers {
        let got = reading.await.expect("no panic");
        for (user, numbers) in &expected {
            let got = got.get(user).map(|got| streams(got));
            assert_eq!(got, Some(streams(numbers)), "all that {user} sent, in order, once");
        }
    }
    for (receiver, (_, reading)) in senders {
        for (user, numbers) in reading.await.expect("no panic") {
            let (to_some, to_everyone) = streams(&numbers);
            let in_order = |numbers: &[u64]| numbers.windows(2).all(|pair| pair[0] < pair[1]);
            assert!(in_order(&to_some) && in_order(&to_everyone), "{receiver} got from {user}: {numbers:?}");
        }
    }
    drop(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_holds_while_everybody_joins_leaves_and_sends_on_two_workers() {
    stress(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_holds_while_everybody_joins_leaves_and_sends_on_four_workers() {
    stress(4).await;
}

#[tokio::test]
async fn order_holds_while_everybody_joins_leaves_and_sends_on_the_callers_runtime() {
    stress(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_holds_on_the_callers_multi_threaded_runtime() {
    stress(0).await;
}

/// A join and a leave between group messages: exactly the messages in between arrive.
#[tokio::test]
async fn a_member_gets_what_was_sent_between_its_join_and_its_leave() {
    let (app, ..) = room(settings());
    let server = Server::start(app).await;
    let mut ada = connect(&server, "ada").await;
    for round in 0..50 {
        let post = |text: u64| json!({ "type": "post", "data": { "group": "g", "text": text } }).to_string();
        let step = |kind: &str| json!({ "type": kind, "data": { "group": "g" } }).to_string();
        for text in [post(1), step("join"), post(2), post(3), step("leave"), post(4)] {
            ada.text(&text).await;
        }
        let all: Vec<_> = ada.settle().await.iter().map(|message| message["data"].clone()).collect();
        assert_eq!(all.len(), 4, "{round}: {all:?}");
        assert_eq!((&all[0]["names"][0], &all[3]["names"][0]), (&json!("true"), &json!("true")));
        assert_eq!((&all[1]["text"], &all[2]["text"]), (&json!(2), &json!(3)));
    }
    ada.close(1000).await;
    nothing_is_left(&server).await;
}

/// Queries come from other threads than messages, and must see messages that a worker is about to take.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn messages_of_a_manager_keep_their_order_during_queries() {
    let mut settings = settings();
    settings.workers = 1;
    settings.ws_max_outbox_bytes = 64 << 20;
    let (app, ..) = room(settings);
    let server = Server::start(app).await;
    let mut ada = connect(&server, "ada").await;
    join(&mut ada, "g").await;
    let (_handled, reading) = act(ada, Vec::new());
    let asking: Vec<_> = (0..2)
        .map(|_| {
            let manager = server.manager.clone();
            tokio::spawn(async move {
                loop {
                    manager.group_members("g").await.expect("a list");
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    let manager = server.manager.clone();
    let sending = tokio::spawn(async move {
        for number in 0..50_000 {
            let numbered = Numbered { from: "manager".to_owned(), text: number };
            manager.group("g").send(&numbered).await.expect("a send");
        }
        manager.group("g").send(&End).await.expect("an end");
    });
    sending.await.expect("no panic");
    let got = reading.await.expect("no panic");
    asking.iter().for_each(tokio::task::JoinHandle::abort);
    let got = &got["manager"];
    assert_eq!(got.len(), 50_000);
    let wrong = got.iter().zip(0..).find(|(got, expected)| **got != *expected);
    assert_eq!(wrong, None, "the first that is out of its order");
}
