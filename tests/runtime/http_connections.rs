//! HTTP connections that wait for their client: how long, how many, and what they delay.

use std::time::{Duration, Instant};

use agentcore::AgentCore;
use agentcore::axum::Router;
use agentcore::axum::body::Bytes;
use agentcore::axum::routing::{get, post};
use agentcore::settings::Settings;
use tests::http::{self, read_answer};
use tests::raw::Raw;
use tests::server::{Server, settings};
use tests::transport::Stream;
use tests::wait::{soon, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const LARGE: usize = 8 * 1024 * 1024;

fn app(change: impl FnOnce(&mut Settings)) -> AgentCore {
    let mut settings = settings();
    change(&mut settings);
    let routes = Router::new()
        .route("/length", post(async |body: Bytes| body.len().to_string()))
        .route("/large", get(async || vec![b'x'; LARGE]));
    AgentCore::new(settings).routes(routes)
}

async fn start(change: impl FnOnce(&mut Settings)) -> Server {
    Server::with_small_buffers(app(change)).await
}

fn request(method: &str, path: &str, more: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n")
}

/// Opens a stream, and gets one answer over it.
async fn answered(server: &Server) -> Box<dyn Stream> {
    let mut stream = server.reach().await;
    stream.write_all(request("GET", "/health", "").as_bytes()).await.expect("the server reads");
    assert_eq!(read_answer(&mut stream, &mut Vec::new()).await.status, 200);
    stream
}

/// Waits for the end of a stream, and returns how long that took.
async fn end(mut stream: Box<dyn Stream>) -> Duration {
    let begun = Instant::now();
    // A reset is an end too.
    let _ = soon("the end of an HTTP connection", stream.read_to_end(&mut Vec::new())).await;
    begun.elapsed()
}

#[tokio::test]
async fn an_idle_connection_stays_open_and_a_request_that_has_begun_has_five_seconds() {
    let server = start(|_| {}).await;
    let mut idle = answered(&server).await;
    let mut begun = answered(&server).await;
    begun.write_all(b"GET /health HTTP/1.1\r\nHo").await.expect("the server reads");
    let taken = end(begun).await;
    assert!(taken > Duration::from_secs(4), "{taken:?}");
    idle.write_all(request("GET", "/health", "").as_bytes()).await.expect("the server reads");
    assert_eq!(read_answer(&mut idle, &mut Vec::new()).await.status, 200, "it was idle for {taken:?}");
}

#[tokio::test]
async fn an_idle_connection_ends_after_the_idle_timeout() {
    let server = start(|settings| settings.http_idle_timeout = Duration::from_millis(300)).await;
    end(answered(&server).await).await;
}

#[tokio::test]
async fn a_body_that_does_not_arrive_in_time_is_answered_with_408() {
    let server = start(|settings| settings.http_body_timeout = Duration::from_millis(300)).await;
    for framing in ["Content-Length: 1000\r\n", "Transfer-Encoding: chunked\r\n"] {
        let mut stream = server.reach().await;
        let head = request("POST", "/length", framing);
        stream.write_all(format!("{head}1").as_bytes()).await.expect("the server reads");
        let answer = read_answer(&mut stream, &mut Vec::new()).await;
        assert_eq!(answer.status, 408, "{answer:?}");
        assert_eq!(answer.json()["error"]["code"], "TIMEOUT");
        end(stream).await;
    }
    let mut stream = server.reach().await;
    stream.write_all(request("POST", "/length", "Content-Length: 4\r\n").as_bytes()).await.expect("the server reads");
    stream.write_all(b"12").await.expect("the server reads");
    stream.write_all(b"34").await.expect("the server reads");
    let answer = read_answer(&mut stream, &mut Vec::new()).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "4"));
}

#[tokio::test]
async fn a_missing_body_and_an_unread_answer_do_not_delay_the_stop() {
    let mut server = start(|settings| {
        settings.shutdown_timeout = Duration::from_secs(3600);
        settings.http_body_timeout = Duration::from_secs(3600);
        settings.ws_write_timeout = Duration::from_secs(3600);
    })
    .await;
    let mut body = server.reach().await;
    body.write_all(format!("{}1", request("POST", "/length", "Content-Length: 1000\r\n")).as_bytes())
        .await
        .expect("it");
    let mut unread = server.reach().await;
    unread.write_all(request("GET", "/large", "").as_bytes()).await.expect("the server reads");
    // The answer has begun.
    soon("the first byte", unread.read_exact(&mut [0])).await.expect("an answer");
    server.begin_stop();
    assert_eq!(read_answer(&mut body, &mut Vec::new()).await.status, 503);
    server.stop().await;
}

#[tokio::test]
async fn an_answer_that_nobody_reads_ends_its_connection() {
    let server = start(|settings| settings.ws_write_timeout = Duration::from_millis(300)).await;
    let mut stream = server.reach().await;
    stream.write_all(request("GET", "/large", "").as_bytes()).await.expect("the server reads");
    until("the server has closed the connection", async || stream.write_all(b" ").await.is_err()).await;
    let mut read = Vec::new();
    let _ = soon("the end", stream.read_to_end(&mut read)).await;
    assert!(read.len() < LARGE, "the whole answer arrived");
}

#[tokio::test]
async fn a_new_connection_replaces_the_one_that_has_waited_longest() {
    let server = start(|settings| {
        settings.max_http_connections = 16;
        settings.ws_write_timeout = Duration::from_secs(3600);
    })
    .await;
    let mut stalled = Vec::new();
    for number in 0..64 {
        let mut stream = server.reach().await;
        // One address has a quarter of the connections: of these, some are idle, some have begun a request, and some do
        // not read their answer.
        let sent = match number % 3 {
            0 => String::new(),
            1 => "GET /hea".to_owned(),
            _ => request("GET", "/large", ""),
        };
        stream.write_all(sent.as_bytes()).await.expect("the server reads");
        if number % 3 == 2 {
            soon("the first byte", stream.read_exact(&mut [0])).await.expect("an answer");
        }
        stalled.push(stream);
    }
    until("an answer", async || http::get(&server, "/health").await.status == 200).await;
    // The oldest ones have ended, although their own deadlines are far away.
    let mut unread = stalled.swap_remove(2);
    let mut read = Vec::new();
    let _ = soon("the end", unread.read_to_end(&mut read)).await;
    assert!(read.len() < LARGE);
    let mut raw = Raw::reach(&server).await;
    assert!(raw.try_send(b"GET ").await);
}
