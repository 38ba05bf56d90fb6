//! The opening handshake: which requests are upgraded, and how others are refused.

use std::time::Duration;

use serde_json::json;
use tests::client::Client;
use tests::http::Answer;
use tests::raw::{Raw, TEXT, frame, handshake};
use tests::server::Server;
use tests::transport::Transport;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Error;

use crate::probe::probe;

/// Checks the JSON of a refusal.
fn refusal(answer: &Answer) -> serde_json::Value {
    let error = answer.json()["error"].clone();
    for key in ["code", "category", "severity", "message", "error_id", "timestamp", "retryable", "details"] {
        assert!(error.get(key).is_some(), "`{key}` is missing: {answer:?}");
    }
    assert_eq!(answer.header("content-type"), Some("application/json"));
    error
}

async fn refused(server: &Server, request: &str) -> Answer {
    Raw::handshake(server, request.as_bytes()).await.1
}

/// Returns the status of the refusal of a client that offers `protocols`.
async fn offered(server: &Server, protocols: &[&str]) -> Result<Client, u16> {
    Client::offer(server, "/probe/ada", protocols).await.map_err(|error| match *error {
        Error::Http(response) => response.status().as_u16(),
        other => panic!("{other}"),
    })
}

over_every_transport! {
    async fn a_valid_request_is_upgraded(over) {
        let server = probe(over).await;
        let (mut raw, answer) = Raw::handshake(&server, handshake("/probe/ada").as_bytes()).await;
        assert_eq!(answer.status, 101);
        // The example of RFC 6455 1.3.
        assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(answer.header("upgrade").map(str::to_ascii_lowercase).as_deref(), Some("websocket"));
        assert_eq!(answer.header("connection").map(str::to_ascii_lowercase).as_deref(), Some("upgrade"));
        assert_eq!(answer.header("sec-websocket-protocol"), None);
        raw.text(r#"{"type":"ping"}"#).await;
        assert_eq!(raw.json().await, json!({ "type": "pong" }), "no welcome to a client that offered nothing");
    }

    async fn headers_may_have_any_case_and_list_form(over) {
        let server = probe(over).await;
        let request = handshake("/probe/ada")
            .replace("Connection: Upgrade", "cOnnection: keep-alive , UPGRADE")
            .replace("Upgrade: websocket", "UPGRADE: WebSocket");
        assert_eq!(refused(&server, &request).await.status, 101);
    }

    async fn the_lines_of_a_list_header_are_one_list(over) {
        let server = probe(over).await;
        let sound = handshake("/probe/ada");
        for (line, lines, protocol) in [
            ("Connection: Upgrade", "Connection: keep-alive\r\nConnection: Upgrade", None),
            ("Connection: Upgrade", "Connection: keep-alive,\tUpgrade\t,, ,", None),
            ("Upgrade: websocket", "Upgrade: h2c\r\nUpgrade:\r\nUpgrade: ,websocket", None),
            ("\r\n\r\n", "\r\nSec-WebSocket-Protocol:\r\n\r\n", None),
            ("\r\n\r\n", "\r\nSec-WebSocket-Protocol: ,\t,\r\nSec-WebSocket-Protocol: \r\n\r\n", None),
            (
                "\r\n\r\n",
                "\r\nSec-WebSocket-Protocol: ,x\r\nSec-WebSocket-Protocol: y,\tagentcore.v1.json\r\n\r\n",
                Some("agentcore.v1.json"),
            ),
        ] {
            let answer = refused(&server, &sound.replace(line, lines)).await;
            assert_eq!((answer.status, answer.header("sec-websocket-protocol")), (101, protocol), "{lines:?}");
        }
    }

    async fn a_header_that_has_one_value_must_not_be_repeated_and_the_refusal_names_it(over) {
        let server = probe(over).await;
        let sound = handshake("/probe/ada");
        let with = |lines: &str| sound.replace("\r\n\r\n", &format!("\r\n{lines}\r\n\r\n"));
        for (request, name) in [
            (sound.replace("Host: localhost\r\n", ""), "host"),
            (sound.replace("Host: localhost", "Host:"), "host"),
            (sound.replace("Host: localhost", "Host: local host"), "host"),
            (with("Host: localhost"), "host"),
            (with("Host: other.example"), "host"),
            (with("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), "sec-websocket-key"),
            (with("Sec-WebSocket-Version: 13"), "sec-websocket-version"),
            (with("Sec-WebSocket-Version: 8"), "sec-websocket-version"),
            (with("Authorization: Bearer a\r\nAuthorization: Bearer b"), "authorization"),
            (with("Content-Length: 5\r\nTransfer-Encoding: chunked"), "transfer-encoding"),
            (with("Transfer-Encoding: chunked\r\nContent-Length: 5"), "content-length"),
        ] {
            let answer = refused(&server, &request).await;
            assert_eq!(answer.status, 400, "{request}: {answer:?}");
            let message = refusal(&answer)["message"].as_str().map(str::to_ascii_lowercase);
            assert!(message.is_some_and(|message| message.contains(&format!("`{name}`"))), "{request}: {answer:?}");
        }
        assert_eq!(server.manager.stats().connections, 0);
    }

    async fn a_body_is_refused_before_the_upgrade_and_is_never_read_as_frames(over) {
        let server = probe(over).await;
        let sound = handshake("/probe/ada");
        let with = |lines: &str| sound.replace("\r\n\r\n", &format!("\r\n{lines}\r\n\r\n"));
        for (lines, body) in [
            ("Content-Length: 5", &b"hello"[..]),
            ("Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n"),
        ] {
            let (mut raw, answer) = Raw::handshake(&server, with(lines).as_bytes()).await;
            assert_eq!(answer.status, 400, "{lines}: {answer:?}");
            assert!(refusal(&answer)["message"].as_str().is_some_and(|text| text.contains("no body")), "{answer:?}");
            let _ = raw.try_send(body).await;
            let _ = raw.try_send(&frame(TEXT, br#"{"type":"ping"}"#)).await;
        }
        assert_eq!(server.manager.stats().connections, 0);
        let (mut raw, answer) = Raw::handshake(&server, with("Content-Length: 0").as_bytes()).await;
        assert_eq!(answer.status, 101, "an empty body is none");
        raw.text(r#"{"type":"ping"}"#).await;
        assert_eq!(raw.json().await, json!({ "type": "pong" }));
    }

    async fn bytes_that_follow_the_handshake_are_messages(over) {
        let server = probe(over).await;
        let mut bytes = handshake("/probe/ada").into_bytes();
        for reference in 0..100 {
            bytes.extend(frame(TEXT, format!(r#"{{"type":"echo","data":{{"text":"x"}},"ref":{reference}}}"#).as_bytes()));
        }
        let half = frame(TEXT, br#"{"type":"ping"}"#);
        bytes.extend(&half[..9]);
        let (mut raw, answer) = Raw::handshake(&server, &bytes).await;
        assert_eq!(answer.status, 101);
        for reference in 0..100 {
            assert_eq!(raw.json().await["ref"], reference);
        }
        raw.send(&half[9..]).await;
        assert_eq!(raw.json().await["type"], "pong");
    }

    async fn a_bad_request_is_refused_with_the_reason_in_json(over) {
        let server = probe(over).await;
        let sound = handshake("/probe/ada");
        for (what, request, status) in [
            ("POST", sound.replace("GET", "POST"), 405),
            ("PUT", sound.replace("GET", "PUT"), 405),
            ("no version", sound.replace("Sec-WebSocket-Version: 13\r\n", ""), 426),
            ("version 8", sound.replace("Version: 13", "Version: 8"), 426),
            ("no upgrade", sound.replace("Upgrade: websocket\r\n", ""), 426),
            ("another upgrade", sound.replace("Upgrade: websocket", "Upgrade: h2c"), 426),
            ("no connection", sound.replace("Connection: Upgrade\r\n", ""), 426),
            ("no key", sound.replace("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""), 400),
            ("an empty key", sound.replace("dGhlIHNhbXBsZSBub25jZQ==", ""), 400),
            ("a short key", sound.replace("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ=="), 400),
            ("a key that is no base64", sound.replace("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j!Q=="), 400),
            ("HTTP/1.0", sound.replace("HTTP/1.1", "HTTP/1.0"), 400),
        ] {
            let answer = refused(&server, &request).await;
            assert_eq!(answer.status, status, "{what}: {answer:?}");
            let error = refusal(&answer);
            assert_eq!(error["retryable"], false, "{what}: the same request will fail again");
            match status {
                426 => {
                    assert_eq!(answer.header("sec-websocket-version"), Some("13"), "{what}");
                    assert_eq!(answer.header("upgrade"), Some("websocket"), "{what}");
                }
                405 => assert_eq!(answer.header("allow"), Some("GET"), "{what}"),
                _ => {}
            }
        }
        assert_eq!(server.manager.stats().connections, 0);
    }

    async fn a_plain_request_is_told_that_an_upgrade_is_required(over) {
        let server = probe(over).await;
        let answer = tests::http::get(&server, "/probe/ada").await;
        assert_eq!(answer.status, 426);
        assert!(refusal(&answer)["message"].as_str().is_some_and(|text| text.contains("WebSocket")));
    }

    async fn a_path_or_query_value_that_cannot_be_parsed_is_refused(over) {
        let server = probe(over).await;
        let long = "x".repeat(65);
        for path in [
            "/probe/ada?lives=many",
            "/probe/ada?lives=-1",
            "/probe/%00",
            "/probe/a%0Ab",
            "/probe/%FF",
            "/probe/anon-7",
            &format!("/probe/{long}"),
        ] {
            let answer = refused(&server, &handshake(path)).await;
            assert_eq!(answer.status, 400, "{path}: {answer:?}");
            assert_eq!(refusal(&answer)["code"], "VALIDATION_FAILED", "{path}");
        }
        let mut client = Client::connect(&server, "/probe/%C3%A9%2F%20a?lives=7&lives=8&other=1").await;
        assert_eq!(client.ask("heard", json!({})).await["data"]["text"], "é/ a Some(7) 0");
        assert_eq!(refused(&server, &handshake("/nothing/here")).await.status, 404);
    }

    async fn our_subprotocol_is_chosen_among_others_and_welcomed(over) {
        let server = probe(over).await;
        for protocols in [
            &["agentcore.v1.json"][..],
            &["chat", "agentcore.v1.json"],
            &["agentcore.token.abc", "agentcore.v1.json", "x"],
        ] {
            let mut client = offered(&server, protocols).await.expect("a sound offer");
            let chosen = client.response.headers().get("sec-websocket-protocol");
            assert_eq!(chosen.and_then(|value| value.to_str().ok()), Some("agentcore.v1.json"), "{protocols:?}");
            client.text(r#"{"type":"ping"}"#).await;
            let welcome = client.next().await;
            assert_eq!(welcome["type"], "agentcore.welcome", "the first frame");
            let data = &welcome["data"];
            let ids = server.manager.connections_of("ada").await.expect("an answer").items;
            assert_eq!(data["connection_id"], json!(ids[0].to_string()));
            assert_eq!(data["node"], server.manager.node().as_str());
            assert_eq!(data["reconnect"], json!({ "max_attempts": 5, "delay_ms": 5000 }));
            assert_eq!(client.next().await["type"], "pong");
            client.close(1000).await;
            tests::wait::until("gone", async || server.manager.stats().connections == 0).await;
        }
    }

    async fn only_unknown_subprotocols_are_refused(over) {
        let server = probe(over).await;
        for protocols in [
            &["chat"][..],
            &["agentcore.v2.json"],
            &["agentcore.token.abc"],
            &["AGENTCORE.V1.JSON"],
            &["a", "b", "agentcore.v1.jsonx"],
        ] {
            assert_eq!(offered(&server, protocols).await.err(), Some(400), "{protocols:?}");
        }
        let request = handshake("/probe/ada").replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: chat\r\n\r\n");
        let answer = refused(&server, &request).await;
        assert_eq!(refusal(&answer)["retryable"], false);
        let two = "\r\nSec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: agentcore.v1.json\r\n\r\n";
        let answer = refused(&server, &handshake("/probe/ada").replace("\r\n\r\n", two)).await;
        assert_eq!((answer.status, answer.header("sec-websocket-protocol")), (101, Some("agentcore.v1.json")));
    }
}

#[tokio::test]
async fn a_client_that_dribbles_its_headers_is_dropped_after_five_seconds() {
    let server = probe(Transport::Tcp).await;
    let begun = std::time::Instant::now();
    let mut raw = Raw::reach(&server).await;
    raw.send(b"GET /probe/ada HTTP/1.1\r\nHost: localhost\r\n").await;
    let mut sent = 0;
    while raw.try_send(b"X").await && begun.elapsed() < Duration::from_secs(15) {
        sent += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let taken = begun.elapsed();
    assert!(sent > 10, "it was given some time: {taken:?}");
    assert!((Duration::from_millis(4500)..Duration::from_secs(9)).contains(&taken), "{taken:?}");
}

/// Not even the first byte of a request, or only the preface of another protocol.
#[tokio::test]
async fn a_client_that_sends_no_request_is_dropped_after_five_seconds() {
    let server = probe(Transport::Tcp).await;
    let begun = std::time::Instant::now();
    for said in [&b""[..], b"PRI * H"] {
        let (mut stream, mut answer) = (server.reach().await, Vec::new());
        stream.write_all(said).await.expect("the server reads");
        let read = tokio::time::timeout(Duration::from_secs(15), stream.read_to_end(&mut answer));
        read.await.expect("the server ends it").expect("an orderly end");
    }
    assert!(begun.elapsed() > Duration::from_secs(4), "it was given some time: {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_small_reply_is_not_delayed_by_nagles_algorithm() {
    // With Nagle's algorithm, the second of two writes would wait for a delayed acknowledgement, 40 ms per round trip.
    let server = probe(Transport::Tcp).await;
    let mut client = Client::connect(&server, "/probe/ada").await;
    let begun = std::time::Instant::now();
    for _ in 0..50 {
        client.text(r#"{"type":"notes_then_answer"}"#).await;
        for _ in 0..3 {
            client.next().await;
        }
    }
    assert!(begun.elapsed() < Duration::from_millis(50 * 38), "{:?}", begun.elapsed());
}
