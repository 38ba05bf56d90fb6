//! Shutdown under traffic: no new connections, no accepted message is lost, every client gets a close code.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use agentcore::prelude::*;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tests::client::Client;
use tests::http;
use tests::room::{Journal, room};
use tests::server::{Server, settings};
use tests::transport::Transport;
use tests::wait::{soon, until};
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};

use crate::{connect, start};

/// A numbered message.
#[message("line")]
struct Line {
    number: u64,
}

/// The message that everyone receives.
#[message("said")]
struct Said {
    text: String,
}

/// A consumer whose clients all receive everything.
#[consumer(path = "/talk/{user_id}", sends(Said))]
struct Talk {
    #[path]
    #[user]
    user_id: UserId,
    #[state]
    journal: Journal,
}

#[consumer]
impl Talk {
    #[on(connect)]
    async fn hello(&mut self, cx: &Context<Self>) -> Result<()> {
        cx.join("all").await?;
        Ok(())
    }

    #[on("line")]
    async fn line(&mut self, cx: &Context<Self>, line: Line) -> Result<()> {
        let text = format!("{} {}", self.user_id, line.number);
        self.journal.note(text.clone());
        match line.number % 4 {
            1 => tokio::task::yield_now().await,
            2 => tokio::time::sleep(Duration::from_millis(line.number % 7)).await,
            _ => {}
        }
        cx.group("all").send(&Said { text }).await
    }
}

/// Sends until the connection ends; returns the received messages and the close code.
async fn talk(client: Client) -> (HashSet<String>, Option<u16>) {
    let (mut writer, mut reader) = client.split();
    let talking = tokio::spawn(async move {
        for number in 0_u64.. {
            let line = json!({ "type": "line", "ref": number, "data": { "number": number } }).to_string();
            if writer.send(Message::text(line)).await.is_err() {
                return;
            }
            // Some messages share a packet, others have their own.
            if number % 5 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    let mut heard = HashSet::new();
    let mut code = None;
    while let Some(Ok(message)) = soon("a message or the end", reader.next()).await {
        match message {
            Message::Text(text) => {
                let message: Value = serde_json::from_str(&text).expect("JSON");
                if message["type"] == "said" {
                    heard.insert(message["data"]["text"].as_str().expect("a text").to_owned());
                }
            }
            Message::Close(frame) => code = frame.map(|frame| frame.code.into()),
            _ => {}
        }
    }
    soon("the writer ends", talking).await.expect("no panic");
    (heard, code)
}

/// Each message whose handler started must reach everyone before the close frame.
async fn stops_without_a_loss(transport: Transport, workers: usize) {
    let mut settings = settings();
    settings.workers = workers;
    let journal = Journal::default();
    let server = Server::over(transport, AgentCore::new(settings).state(journal.clone()).consumer::<Talk>()).await;
    let mut talking = Vec::new();
    for number in 0..12 {
        let mut client = Client::connect(&server, &format!("/talk/u{number}")).await;
        client.settle().await;
        talking.push(client);
    }
    let talking: Vec<_> = talking.into_iter().map(|client| tokio::spawn(talk(client))).collect();
    until("some traffic", async || journal.lines().len() > 200).await;
    server.stop().await;
    let accepted = journal.lines();
    for talker in talking {
        let (heard, code) = talker.await.expect("no panic");
        assert_eq!(code, Some(1012));
        let lost: Vec<_> = accepted.iter().filter(|line| !heard.contains(*line)).collect();
        assert!(lost.is_empty(), "{} of {} accepted lines are lost: {lost:?}", lost.len(), accepted.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_accepted_is_lost_when_a_server_stops_under_traffic() {
    for _ in 0..20 {
        stops_without_a_loss(Transport::Tcp, 2).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_accepted_is_lost_over_a_stream_of_another_kind() {
    for _ in 0..20 {
        stops_without_a_loss(Transport::Hidden, 2).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_accepted_is_lost_on_the_callers_runtime() {
    for _ in 0..20 {
        stops_without_a_loss(Transport::Tcp, 0).await;
    }
}

#[tokio::test]
async fn a_stopping_server_admits_nobody_and_closes_everyone_with_a_reason() {
    let (mut server, journal, gate) = start().await;
    let mut ada = connect(&server, "ada").await;
    let mut bob = connect(&server, "bob").await;
    ada.text(r#"{"type":"wait","ref":1}"#).await;
    until("the handler runs", async || journal.count("wait begins") == 1).await;
    assert_eq!(http::get(&server, "/ready").await.status, 200);
    server.begin_stop();
    until("the server is not ready", async || http::get(&server, "/ready").await.status == 503).await;
    let answer = http::get(&server, "/ready").await;
    assert_eq!(
        (answer.json()["error"]["code"].as_str(), answer.header("retry-after").is_some()),
        (Some("RESTARTING"), true)
    );
    assert_eq!(http::get(&server, "/health").await.status, 200);
    let Err(refusal) = Client::offer(&server, "/room/eve", &[]).await else { panic!("eve came in") };
    let SocketError::Http(response) = *refusal else { panic!("{refusal}") };
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
    // A message that arrives now is not accepted. A ping is still answered, and no client is closed before the handler ends.
    bob.say("post", json!({ "user": "ada", "text": "late" })).await;
    let mut cyd = bob;
    cyd.send(Message::Ping(b"still there?".to_vec().into())).await;
    gate.open(1);
    let (before, closed) = ada.closed().await;
    assert_eq!((before.len(), &before[0]["ref"], closed.code), (1, &json!(1), Some(1012)), "{before:?}");
    assert_eq!(cyd.closed().await.1.code, Some(1012));
    server.stop().await;
}

#[tokio::test]
async fn each_client_gets_a_different_reconnect_delay() {
    let (mut server, ..) = start().await;
    let mut clients = Vec::new();
    for number in 0..60 {
        clients.push(connect(&server, &format!("u{number}")).await);
    }
    server.begin_stop();
    let mut hints = HashSet::new();
    for client in &mut clients {
        let (_, closed) = client.closed().await;
        hints.insert(closed.json()["retry_after_ms"].as_u64().expect("a hint"));
    }
    assert!(hints.len() > 30, "spread: {hints:?}");
    assert!(hints.iter().all(|hint| (500..2000).contains(hint)), "{hints:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_handler_that_does_not_end_is_cancelled_and_its_client_gets_an_error() {
    let mut settings = settings();
    settings.shutdown_timeout = Duration::from_secs(3);
    let (app, journal, _gate) = room(settings);
    let mut server = Server::start(app).await;
    let mut ada = connect(&server, "ada").await;
    let mut bob = connect(&server, "bob").await;
    ada.text(r#"{"type":"wait","ref":7}"#).await;
    until("the handler runs", async || journal.count("wait begins") == 1).await;
    let begun = Instant::now();
    server.begin_stop();
    let (before, closed) = ada.closed().await;
    assert!(begun.elapsed() >= Duration::from_millis(1400), "it had its time: {:?}", begun.elapsed());
    let error = before.last().expect("an error");
    assert_eq!((&error["ref"], &error["data"]["code"]), (&json!(7), &json!("RESTARTING")), "{error}");
    assert_eq!((&error["data"]["category"], &error["data"]["retryable"]), (&json!("timeout"), &json!(true)));
    assert_eq!(closed.code, Some(1012));
    assert_eq!(bob.closed().await.1.code, Some(1012));
    server.stop().await;
    assert_eq!(
        (journal.count("wait ends"), journal.count("disconnected ada"), journal.count("disconnected bob")),
        (0, 1, 1)
    );
}

#[tokio::test]
async fn a_hook_that_hangs_does_not_keep_a_server_from_stopping() {
    let mut settings = settings();
    settings.shutdown_timeout = Duration::from_secs(2);
    let (app, journal, _gate) = room(settings);
    let mut server = Server::start(app).await;
    let mut greeted = Client::connect(&server, "/room/ada?connect=join:g,hang").await;
    until("it connects", async || journal.count("connect ada") == 1).await;
    let mut gone = Client::connect(&server, "/room/bob?disconnect=hang").await;
    gone.settle().await;
    server.begin_stop();
    assert_eq!(greeted.closed().await.1.code, Some(1012));
    assert_eq!(gone.closed().await.1.code, Some(1012));
    let manager = server.manager.clone();
    server.stop().await;
    assert_eq!((journal.count("disconnect bob 1012"), journal.count("disconnect ada 1012")), (1, 0));
    let stats = manager.stats();
    assert_eq!((stats.connections, stats.users, stats.groups), (0, 0, 0), "nothing is left: {stats:?}");
}

#[tokio::test]
async fn a_blocked_worker_does_not_keep_a_server_from_stopping() {
    let mut settings = settings();
    settings.shutdown_timeout = Duration::from_secs(2);
    settings.workers = 1;
    let (app, journal, _gate) = room(settings);
    let server = Server::start(app).await;
    let mut ada = connect(&server, "ada").await;
    ada.say("block", json!({ "text": 30_000 })).await;
    until("the handler runs", async || journal.count("block begins") == 1).await;
    server.stop().await;
}

#[tokio::test]
async fn a_second_shutdown_call_waits_for_the_first() {
    let (app, journal, gate) = room(settings());
    let server = Server::over(Transport::Hidden, app).await;
    let mut ada = connect(&server, "ada").await;
    ada.text(r#"{"type":"wait","ref":1}"#).await;
    until("the handler runs", async || journal.count("wait begins") == 1).await;
    let [first, second] = [server.manager.clone(), server.manager.clone()]
        .map(|manager| tokio::spawn(async move { manager.shutdown().await }));
    until("the server is not ready", async || http::get(&server, "/ready").await.status == 503).await;
    assert!(!first.is_finished() && !second.is_finished());
    // The first attempt is cancelled, and the other one takes over.
    first.abort();
    gate.open(1);
    assert_eq!(ada.closed().await.1.code, Some(1012));
    soon("the end", second).await.expect("no panic");
    soon("the same end", server.manager.shutdown()).await;
}
