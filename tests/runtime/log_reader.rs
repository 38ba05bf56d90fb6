//! The reader of the log: nobody reads it, it has gone, or the log is another one.

use std::io::{BufRead, BufReader, Read, Write, pipe};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tests::chat::{ChatClient, TempFolder, program, set_environment};
use tests::process::Process;
use tests::redis::free_port;
use tests::wait::{soon, until};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

const DROPPED: &str = "agentcore_log_lines_dropped_total";

/// A chat that logs everything.
fn chat(folder: &TempFolder) -> Command {
    let mut command = Command::new(program());
    set_environment(&mut command, folder.path(), 0);
    command.env("LOG_LEVEL", "TRACE").stderr(Stdio::piped());
    command
}

fn node() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runtime-node"));
    command.env("PORT", "0").env("WORKERS", "1").stderr(Stdio::piped());
    command
}

async fn connect(chat: &Process, user: &str) -> ChatClient {
    let opened = ChatClient::connect_to_port(chat.address.port(), &format!("/ws/{user}"), &[]).await;
    opened.unwrap_or_else(|refused| panic!("{refused:?}"))
}

/// Sends requests, of which each is a line of the log, until lines of it are dropped.
async fn fill_log(chat: &Process, client: &mut ChatClient) {
    let before = chat.metric(DROPPED).await;
    until("lines are dropped", async || {
        for number in 0..500 {
            client
                .send_text(json!({ "type": "typing_start", "ref": number, "data": { "room": "none" } }).to_string())
                .await;
        }
        while client.next().await["ref"] != 499 {}
        chat.metric(DROPPED).await > before
    })
    .await;
}

#[tokio::test]
async fn chatting_goes_on_and_the_process_ends_while_nobody_reads_the_log() {
    let folder = TempFolder::new();
    let mut chat = Process::start(&mut chat(&folder));
    let (mut ada, mut bob) = (connect(&chat, "ada").await, connect(&chat, "bob").await);
    fill_log(&chat, &mut ada).await;
    bob.join("lobby").await;
    ada.join("lobby").await;
    bob.expect("user_joined_room").await;
    ada.post("lobby", "hello").await;
    assert_eq!(bob.expect("chat_message").await["text"], "hello");
    let health = chat.get("/health").await;
    assert_eq!((health.status, &health.json()["status"]), (200, &json!("ok")));
    let begun = Instant::now();
    chat.signal("TERM");
    assert_eq!((ada.close_code().await, bob.close_code().await), (1012, 1012));
    assert_eq!(chat.ended().await.code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10), "within SHUTDOWN_TIMEOUT: {:?}", begun.elapsed());
}

#[tokio::test]
async fn the_number_of_dropped_lines_is_logged_once_somebody_reads() {
    let folder = TempFolder::new();
    let mut chat = Process::start(&mut chat(&folder));
    let mut ada = connect(&chat, "ada").await;
    fill_log(&chat, &mut ada).await;
    let dropped = chat.metric(DROPPED).await;
    let log = BufReader::new(chat.stderr());
    let read =
        thread::spawn(move || log.lines().map_while(Result::ok).find(|line| line.contains("lines were dropped")));
    until("the log is read", async || read.is_finished()).await;
    let line = read.join().expect("no panic").expect("the line is there");
    let told = line.split("dropped=").nth(1).and_then(|count| count.trim().parse::<u64>().ok());
    assert!(line.contains("WARN") && told >= Some(dropped), "{dropped} in {line}");
}

#[tokio::test]
async fn a_log_whose_reader_has_gone_costs_its_lines_and_nothing_else() {
    let folder = TempFolder::new();
    let mut chat = Process::start(&mut chat(&folder));
    drop(chat.stderr());
    let mut ada = connect(&chat, "ada").await;
    fill_log(&chat, &mut ada).await;
    ada.join("lobby").await;
    assert_eq!(chat.get("/health").await.json()["status"], "ok");
    chat.signal("TERM");
    assert_eq!(chat.ended().await.code(), Some(0));
}

/// A process whose two outputs are a pipe that is full from the start, and its handler panics.
#[tokio::test]
async fn a_full_pipe_delays_neither_the_start_nor_a_panic() {
    let (_unread, full) = pipe().expect("a pipe");
    let mut filler = full.try_clone().expect("a descriptor");
    let (filling, filled) = std::sync::mpsc::channel();
    thread::spawn(move || {
        filler.write_all(&[b'x'; 4096]).expect("a pipe holds one page");
        let _ = filling.send(());
        // Fills it, blocks, and takes the place of each byte that is read.
        let _ = filler.write_all(&[b'x'; 1024 * 1024]);
    });
    filled.recv().expect("it is being filled");
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let mut command = node();
    command.env("PORT", address.port().to_string());
    command.stdout(full.try_clone().expect("a descriptor")).stderr(full);
    let mut node = Process::start_unread(&mut command, address);
    until("it listens", async || node.try_get("/health").await.is_some()).await;
    for _ in 0..3 {
        let stream = soon("a TCP connection", TcpStream::connect(address)).await.expect("it listens");
        let (mut socket, _) =
            soon("a handshake", client_async("ws://localhost/ws", stream)).await.expect("it is let in");
        let panic = Message::text(r#"{"type":"panic","data":{}}"#);
        soon("sending", futures_util::SinkExt::send(&mut socket, panic)).await.expect("the connection is open");
        let code = loop {
            match soon("a close frame", futures_util::StreamExt::next(&mut socket)).await {
                Some(Ok(Message::Close(frame))) => break frame.map(|frame| u16::from(frame.code)),
                Some(Ok(_)) => {}
                other => panic!("{other:?} instead of a close frame"),
            }
        };
        assert_eq!(code, Some(1011));
    }
    assert_eq!(node.get("/health").await.json()["status"], "ok");
    node.signal("TERM");
    assert_eq!(node.ended().await.code(), Some(0));
}

/// Returns the log of a node that has ended.
async fn log_of(command: &mut Command) -> String {
    let mut node = Process::start(command);
    let mut stderr = node.stderr();
    node.signal("TERM");
    assert_eq!(node.ended().await.code(), Some(0));
    let mut log = String::new();
    stderr.read_to_string(&mut log).expect("UTF-8");
    log
}

#[tokio::test]
async fn a_program_may_install_a_log_of_its_own() {
    let log = log_of(node().env("OWN_LOG", "1")).await;
    for line in [" INFO runtime_node: the log is its own", " INFO agentcore::manager::drain: shutting down"] {
        assert_eq!(log.lines().filter(|other| other.starts_with(line)).count(), 1, "{line} in {log}");
    }
    assert!(log.lines().all(|line| line.starts_with(' ')), "no line of another log: {log}");
}

#[tokio::test]
async fn a_node_logs_its_backend_and_its_limits_when_it_starts() {
    let log = log_of(node().env("MAX_TOTAL_GROUPS", "77")).await;
    let lines: Vec<_> = log.lines().filter(|line| line.contains("the node has started")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    for part in ["INFO", "backend=\"memory\"", "workers=1", "max_total_connections=200000", "max_total_groups=77"] {
        assert!(lines[0].contains(part), "{part} in {}", lines[0]);
    }
}

/// The last lines of a log that somebody reads are there when the process has ended.
#[tokio::test]
async fn the_end_of_a_process_is_in_its_log() {
    let log = log_of(&mut node()).await;
    assert!(log.contains("shutting down"), "{log}");
}
