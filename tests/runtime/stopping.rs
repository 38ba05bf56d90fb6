//! How a server stops.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::room::room;
use tests::server::{Server, settings};
use tests::wait::{soon, until};

use crate::{connect, start};

#[tokio::test]
async fn every_client_gets_a_close_code_for_the_restart() {
    let (mut server, journal, _) = start().await;
    let mut clients = Vec::new();
    for number in 0..100 {
        clients.push(connect(&server, &format!("u{number}")).await);
    }
    server.begin_stop();
    for client in &mut clients {
        let (before, closed) = client.closed().await;
        assert_eq!((before.len(), closed.code), (0, Some(1012)));
        assert_eq!(closed.json()["code"], "RESTARTING");
        assert!(closed.json()["retry_after_ms"].as_u64() > Some(0), "{closed:?}");
    }
    soon("the end", server.stop()).await;
    assert_eq!(journal.lines().iter().filter(|line| line.starts_with("disconnected ")).count(), 100);
}

/// The last frames of a stopping server must reach its clients, even if the runtime ends with it.
#[test]
fn the_close_frames_are_out_before_the_server_has_ended() {
    for _ in 0..20 {
        let clients = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("one");
        let (server, journal, _) = runtime.block_on(start());
        let mut ada = clients.block_on(connect(&server, "ada"));
        let reading = std::thread::spawn(move || clients.block_on(ada.closed()));
        runtime.block_on(server.stop());
        runtime.shutdown_background();
        assert_eq!(reading.join().expect("a close frame").1.code, Some(1012));
        assert_eq!(journal.count("disconnect ada 1012"), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_connect_while_the_server_stops_are_refused_or_closed() {
    for _ in 0..10 {
        let (mut server, ..) = start().await;
        let address = server.address;
        let first = connect(&server, "first").await;
        let coming: Vec<_> = (0..40)
            .map(|number| {
                tokio::spawn(async move {
                    let request = format!("ws://{address}/room/u{number}");
                    let Ok(Ok((mut socket, _))) =
                        tokio::time::timeout(Duration::from_secs(10), tokio_tungstenite::connect_async(request)).await
                    else {
                        return true;
                    };
                    let last = futures_util::StreamExt::next(&mut socket);
                    // A client that was accepted is closed with a code and does not wait forever.
                    tokio::time::timeout(Duration::from_secs(10), last).await.is_ok()
                })
            })
            .collect();
        tokio::task::yield_now().await;
        let begun = Instant::now();
        server.begin_stop();
        drop(first);
        soon("the end", server.stop()).await;
        assert!(begun.elapsed() < Duration::from_secs(7), "nobody was forgotten: {:?}", begun.elapsed());
        for task in coming {
            assert!(task.await.expect("no panic"), "a client that got in was never told");
        }
    }
}

#[tokio::test]
async fn a_running_handler_delays_a_stop_by_the_timeout_at_most() {
    let mut settings = settings();
    settings.shutdown_timeout = Duration::from_secs(1);
    let (app, journal, _gate) = room(settings);
    let server = Server::start(app).await;
    let mut ada = connect(&server, "ada").await;
    ada.say("wait", json!({})).await;
    until("the handler runs", async || journal.count("wait begins") == 1).await;
    let begun = Instant::now();
    server.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_timeout_beyond_the_clock_is_as_good_as_none() {
    let mut settings = settings();
    settings.shutdown_timeout = Duration::MAX;
    let (app, ..) = room(settings);
    let mut server = Server::start(app).await;
    let mut ada = connect(&server, "ada").await;
    server.begin_stop();
    assert_eq!(ada.closed().await.1.code, Some(1012));
    soon("the end", server.stop()).await;
}

#[tokio::test]
async fn a_handler_that_runs_ends_before_its_connection_is_closed() {
    let (mut server, journal, gate) = start().await;
    let mut ada = connect(&server, "ada").await;
    ada.text(r#"{"type":"wait","ref":1}"#).await;
    until("the handler runs", async || journal.count("wait begins") == 1).await;
    server.begin_stop();
    gate.open(1);
    let (before, closed) = ada.closed().await;
    assert_eq!((before.len(), &before[0]["ref"], closed.code), (1, &json!(1), Some(1012)));
    server.stop().await;
}
