//! `/metrics`, as a scraper sees it.

use agentcore::axum::Router;
use agentcore::axum::routing::get;
use agentcore::prelude::*;
use serde_json::json;
use tests::client::Client;
use tests::http;
use tests::raw::{BINARY, Raw, TEXT, frame};
use tests::room::room;
use tests::server::{Server, settings};
use tests::wait::until_equal;
use tokio::io::AsyncWriteExt;

use crate::{connect, join, post, start};

async fn page(server: &Server) -> String {
    http::get(server, "/metrics").await.body
}

/// Returns the value of a series, or 0 if it does not exist.
async fn value(server: &Server, series: &str) -> f64 {
    let page = page(server).await;
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().expect("a number"))
}

#[tokio::test]
async fn the_page_is_prometheus_text_or_openmetrics_on_request() {
    let (server, ..) = start().await;
    let answer = http::get(&server, "/metrics").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/plain; version=0.0.4; charset=utf-8")));
    for (number, line) in answer.body.lines().enumerate() {
        let sound = line.starts_with("# HELP agentcore_")
            || line.starts_with("# TYPE agentcore_")
            || (line.starts_with("agentcore_")
                && line.rsplit(' ').next().is_some_and(|value| value.parse::<f64>().is_ok()));
        assert!(sound, "line {number}: {line}");
    }
    let mut stream = server.reach().await;
    let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text;version=1.0.0\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let answer = http::read_answer(&mut stream, &mut Vec::new()).await;
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("application/openmetrics-text")));
    assert!(answer.body.ends_with("# EOF\n"));
}

#[tokio::test]
async fn messages_are_counted_by_type_in_both_directions() {
    let (server, ..) = start().await;
    let mut ada = connect(&server, "ada").await;
    let mut bob = connect(&server, "bob").await;
    join(&mut ada, "g").await;
    join(&mut bob, "g").await;
    for number in 0..5 {
        post(&mut ada, json!({ "group": "g", "text": number })).await;
    }
    bob.settle().await;
    let received = |kind: &str| format!(r#"agentcore_messages_received_total{{consumer="Room",type="{kind}"}}"#);
    assert_eq!(value(&server, &received("post")).await, 5.0);
    assert_eq!(value(&server, &received("join")).await, 2.0);
    let bytes = r#"agentcore_received_bytes_total{consumer="Room",type="post"}"#;
    assert!(value(&server, bytes).await > 100.0);
    assert_eq!(value(&server, r#"agentcore_messages_sent_total{type="posted"}"#).await, 10.0, "a copy for each");
    assert!(value(&server, r#"agentcore_sent_bytes_total{type="posted"}"#).await > 200.0);
    let handled = r#"agentcore_handler_duration_seconds_count{consumer="Room",type="post"}"#;
    assert_eq!(value(&server, handled).await, 5.0);
    let last = r#"agentcore_handler_duration_seconds_bucket{consumer="Room",type="post",le="+Inf"}"#;
    assert_eq!(value(&server, last).await, 5.0);
    assert_eq!((value(&server, "agentcore_connections").await, value(&server, "agentcore_users").await), (2.0, 2.0));
    assert_eq!(value(&server, "agentcore_groups").await, 1.0);
    assert_eq!(value(&server, "agentcore_connections_opened_total").await, 2.0);
}

#[tokio::test]
async fn no_client_can_add_a_series() {
    let (server, ..) = start().await;
    let mut ada = connect(&server, "ada").await;
    ada.ask("me", json!({})).await;
    ada.ask("no_such_type", json!({})).await;
    let before = page(&server).await.lines().count();
    for number in 0..40 {
        ada.ask(&format!("made_up_{number}"), json!({})).await;
    }
    ada.text("{nonsense").await;
    ada.settle().await;
    let page = page(&server).await;
    assert!(!page.contains("made_up"));
    assert!(page.lines().count() <= before + 1, "one for INVALID_JSON: {page}");
    assert_eq!(value(&server, r#"agentcore_messages_received_total{consumer="Room",type="unknown"}"#).await, 42.0);
    assert_eq!(value(&server, r#"agentcore_errors_total{code="UNKNOWN_MESSAGE_TYPE"}"#).await, 41.0);
    assert_eq!(value(&server, r#"agentcore_errors_total{code="INVALID_JSON"}"#).await, 1.0);
}

#[tokio::test]
async fn refused_connections_are_counted_by_the_bound_they_met() {
    let mut settings = settings();
    settings.max_connections_per_client = 1;
    settings.max_total_connections = 2;
    let (app, ..) = room(settings);
    let server = Server::start(app).await;
    let _ada = connect(&server, "ada").await;
    assert!(Client::offer(&server, "/room/ada", &[]).await.is_err());
    let _bob = connect(&server, "bob").await;
    for _ in 0..3 {
        assert!(Client::offer(&server, "/room/cyd", &[]).await.is_err());
    }
    let refused = |bound: &str| format!(r#"agentcore_admissions_refused_total{{bound="{bound}"}}"#);
    assert_eq!((value(&server, &refused("user")).await, value(&server, &refused("total")).await), (1.0, 3.0));
}

#[tokio::test]
async fn two_nodes_in_one_process_have_their_own_metrics() {
    let ((one, ..), (other, ..)) = (start().await, start().await);
    let mut ada = connect(&one, "ada").await;
    ada.ask("me", json!({})).await;
    let me = r#"agentcore_messages_received_total{consumer="Room",type="me"}"#;
    assert_eq!((value(&one, me).await, value(&other, me).await), (1.0, 0.0));
    assert_eq!((value(&one, "agentcore_connections").await, value(&other, "agentcore_connections").await), (1.0, 0.0));
    ada.close(1000).await;
    until_equal("connections", 0.0, async || value(&one, "agentcore_connections").await).await;
}

#[tokio::test]
async fn a_draining_node_says_so() {
    let (mut server, journal, gate) = start().await;
    let mut ada = connect(&server, "ada").await;
    ada.say("wait", json!({})).await;
    until_equal("begun", 1, async || journal.count("wait begins")).await;
    assert_eq!(value(&server, "agentcore_draining").await, 0.0);
    server.begin_stop();
    until_equal("draining", 1.0, async || value(&server, "agentcore_draining").await).await;
    gate.open(1);
    server.stop().await;
}

/// The metrics of a node without consumers, under its own paths.
#[tokio::test]
async fn without_the_status_routes_the_path_is_the_applications() {
    let routes = Router::new().route("/metrics", get(async || "mine"));
    let app = AgentCore::new(settings()).routes(routes).without_status_routes();
    let server = Server::start(app).await;
    assert_eq!(page(&server).await, "mine");
}

#[tokio::test]
async fn messages_to_one_connection_are_counted_by_type_in_both_codecs() {
    for (kind, protocol) in [(BINARY, "agentcore.v1.msgpack"), (TEXT, "agentcore.v1.json")] {
        let (server, ..) = start().await;
        let mut raw = Raw::reach(&server).await;
        assert_eq!(raw.shake("/room/ada", &[("Sec-WebSocket-Protocol", protocol)]).await.status, 101);
        let filler = "x".repeat(500);
        for message in [
            json!({ "type": "post", "data": { "user": "ada", "text": filler }, "ref": 1 }),
            json!({ "type": "nonsense" }),
            json!({ "type": "ping" }),
        ] {
            let bytes = match kind {
                TEXT => message.to_string().into_bytes(),
                _ => rmp_serde::to_vec_named(&message).expect("MessagePack"),
            };
            raw.send(&frame(kind, &bytes)).await;
        }
        // The welcome, the message, its reply, the error, the pong.
        for _ in 0..5 {
            raw.frame().await.expect("a frame");
        }
        for sent in ["agentcore.welcome", "posted", "reply", "error", "pong"] {
            let series = format!(r#"agentcore_messages_sent_total{{type="{sent}"}}"#);
            assert_eq!(value(&server, &series).await, 1.0, "{sent} as {protocol}: {}", page(&server).await);
        }
        assert!(value(&server, r#"agentcore_sent_bytes_total{type="posted"}"#).await > 500.0);
    }
}
