//! A server as a process: signals, exit code, and a limit of open files.

use std::process::Command;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tests::process::Process;
use tests::program::Echo;
use tests::wait::{soon, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

type Socket = WebSocketStream<TcpStream>;

async fn talker(echo: &Echo) -> Socket {
    let stream = echo.reach().await;
    soon("a handshake", client_async("ws://localhost/ws", stream)).await.expect("it is let in").0
}

async fn echoes(socket: &mut Socket, text: &str) -> bool {
    let said = format!(r#"{{"type":"echo","data":{{"text":"{text}"}}}}"#);
    soon("sending", socket.send(Message::text(said))).await.expect("the connection is open");
    match soon("an echo", socket.next()).await {
        Some(Ok(Message::Text(heard))) => {
            let heard: Value = serde_json::from_str(&heard).expect("JSON");
            heard["data"]["text"] == text
        }
        other => panic!("{other:?} instead of an echo"),
    }
}

async fn close_code(socket: &mut Socket) -> Option<u16> {
    loop {
        match soon("a close frame", socket.next()).await {
            Some(Ok(Message::Close(frame))) => {
                // The answer goes out, and the stream ends.
                while soon("the end", socket.next()).await.is_some_and(|next| next.is_ok()) {}
                return frame.map(|frame| frame.code.into());
            }
            Some(Ok(_)) => {}
            other => panic!("{other:?} instead of a close frame"),
        }
    }
}

#[tokio::test]
async fn a_signal_ends_the_process_with_zero_and_closes_every_connection() {
    for signal in ["TERM", "INT"] {
        let mut echo = Echo::start(1024);
        let mut talkers = Vec::new();
        for _ in 0..20 {
            talkers.push(talker(&echo).await);
        }
        assert!(echoes(&mut talkers[0], "hello").await);
        let begun = Instant::now();
        echo.signal(signal);
        for talker in &mut talkers {
            assert_eq!(close_code(talker).await, Some(1012));
        }
        assert_eq!(echo.ended().await.code(), Some(0));
        assert!(begun.elapsed() < Duration::from_secs(10), "within SHUTDOWN_TIMEOUT: {:?}", begun.elapsed());
    }
}

/// The server waits for a peer that does not answer a close frame, unless the operator sends a second signal.
#[tokio::test]
async fn a_second_signal_ends_the_process_at_once() {
    let mut echo = Echo::start(1024);
    let mut silent = talker(&echo).await;
    assert!(echoes(&mut silent, "hello").await);
    let begun = Instant::now();
    echo.signal("TERM");
    // The shutdown has begun: the silent client received a close frame.
    let first = soon("the close frame", silent.get_mut().readable()).await;
    first.expect("readable");
    echo.signal("TERM");
    assert_eq!(echo.ended().await.code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(4), "the handshake alone would take 5 s: {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_server_without_file_descriptors_recovers_when_connections_end() {
    let echo = Echo::start(48);
    let mut ada = talker(&echo).await;
    let mut idle = Vec::new();
    for _ in 0..80 {
        idle.push(echo.reach().await);
    }
    for round in 0..20 {
        assert!(echoes(&mut ada, &format!("round {round}")).await, "those who are in are served");
    }
    drop(idle);
    until("somebody new is let in", async || {
        let asking = async {
            let mut stream = echo.reach().await;
            stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.ok()?;
            answer.starts_with("HTTP/1.1 200").then_some(())
        };
        tokio::time::timeout(Duration::from_secs(3), asking).await.ok().flatten().is_some()
    })
    .await;
    assert!(echoes(&mut talker(&echo).await, "new").await);
}

/// Starts a node with one thread, which a handler blocks for good.
async fn blocked(shutdown_timeout: &str) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runtime-node"));
    command.env("PORT", "0").env("WORKERS", "0").env("TOKIO_WORKER_THREADS", "1");
    let node = Process::start(command.env("SHUTDOWN_TIMEOUT", shutdown_timeout));
    let stream = soon("a TCP connection", TcpStream::connect(node.address)).await.expect("it listens");
    let (mut socket, _) = soon("a handshake", client_async("ws://localhost/ws", stream)).await.expect("it is let in");
    let block = Message::text(r#"{"type":"block","data":{}}"#);
    soon("sending", socket.send(block)).await.expect("the connection is open");
    assert_eq!(node.line(), "blocked");
    node
}

#[tokio::test]
async fn a_second_signal_ends_a_process_whose_only_thread_is_blocked() {
    let mut node = blocked("3600").await;
    // Two signals that are sent at once may arrive as one.
    until("the process ends", async || {
        node.signal("TERM");
        tokio::time::sleep(Duration::from_millis(50)).await;
        node.has_ended()
    })
    .await;
    assert_eq!(node.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_shutdown_that_cannot_proceed_ends_with_its_timeout() {
    let mut node = blocked("1").await;
    node.signal("TERM");
    assert_eq!(node.ended().await.code(), Some(0));
}
