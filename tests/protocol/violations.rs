//! Protocol violations: a close frame with the right code precedes the end.

use serde_json::{Value, json};
use tests::raw::{BINARY, CLOSE, PING, Raw, TEXT, close, frame, header};
use tests::server::Server;
use tests::wait::until;

use crate::probe::probe;

const TEXT_PART: u8 = 0x01;
const MORE: u8 = 0x00;
const LAST: u8 = 0x80;

/// Sends bytes on a new connection and checks how it ends.
async fn closes(server: &Server, what: &str, bytes: &[u8], code: u16, error: &str) {
    let mut raw = Raw::open(server, "/probe/ada").await;
    raw.send(bytes).await;
    let (got, reason) = raw.closed().await;
    assert_eq!(got, code, "{what}: {reason}");
    let reason: Value = serde_json::from_str(&reason).expect("JSON");
    assert_eq!(reason["code"], error, "{what}");
    assert!(reason["error_id"].is_string(), "{what}");
    assert!(raw.ends().await, "{what}: nothing follows a close frame");
}

over_every_transport! {
    async fn broken_framing_closes_with_1002(over) {
        let server = probe(over).await;
        let unmasked = [&[TEXT, 2][..], b"{}"].concat();
        let in_message = |second: Vec<u8>| [frame(TEXT_PART, b"{"), second].concat();
        for (what, bytes) in [
            ("unmasked", unmasked),
            ("unmasked and empty", vec![TEXT, 0]),
            ("an unmasked ping", vec![PING, 0]),
            ("RSV1", frame(TEXT | 0x40, b"{}")),
            ("RSV2", frame(TEXT | 0x20, b"{}")),
            ("RSV3", frame(TEXT | 0x10, b"{}")),
            ("RSV1 of a ping", frame(PING | 0x40, b"")),
            ("opcode 3", frame(0x83, b"")),
            ("opcode 7", frame(0x87, b"")),
            ("opcode 11", frame(0x8B, b"")),
            ("opcode 15", frame(0x8F, b"")),
            ("a ping in fragments", frame(PING & 0x7F, b"a")),
            ("a close in fragments", frame(CLOSE & 0x7F, &1000_u16.to_be_bytes())),
            ("a long ping", frame(PING, &[b'x'; 126])),
            ("a long close", close(1000, &"x".repeat(124))),
            ("a ping that announces much", header(PING, 1 << 40)),
            ("a continuation of nothing", frame(LAST, b"{}")),
            ("a continuation of nothing, not the last", frame(MORE, b"{}")),
            ("a message within a message", in_message(frame(TEXT, b"{}"))),
            ("a binary message within a text", in_message(frame(0x02, b"{}"))),
            ("a close with half a code", frame(CLOSE, &[3])),
        ] {
            closes(&server, what, &bytes, 1002, "PROTOCOL_ERROR").await;
        }
    }

    async fn a_close_code_that_must_not_be_sent_closes_with_1002(over) {
        let server = probe(over).await;
        for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
            closes(&server, &code.to_string(), &close(code, ""), 1002, "PROTOCOL_ERROR").await;
        }
    }

    async fn text_that_is_not_utf8_closes_with_1007(over) {
        let server = probe(over).await;
        let bad_close = [&1000_u16.to_be_bytes()[..], b"\xFF"].concat();
        for (what, bytes) in [
            ("a byte that never occurs", frame(TEXT, b"{\"type\":\"\xFF\"}")),
            ("an overlong form", frame(TEXT, b"\xC0\xAF")),
            ("a surrogate", frame(TEXT, b"\xED\xA0\x80")),
            ("above U+10FFFF", frame(TEXT, b"\xF4\x90\x80\x80")),
            ("a character cut at the end", frame(TEXT, b"{}\xF0\x9F\x98")),
            ("a character cut at the end of the last fragment", [frame(TEXT_PART, b"{"), frame(LAST, b"\xF0\x9F")].concat()),
            // Bytes that can no longer become UTF-8 are refused at once.
            ("the first fragment of more", frame(TEXT_PART, b"\xFF")),
            ("a frame that is not complete", [header(TEXT, 50_000), vec![0xFF ^ 0x5A, 0xFF ^ 0x01, 0, 0]].concat()),
            ("the reason of a close", frame(CLOSE, &bad_close)),
        ] {
            closes(&server, what, &bytes, 1007, "INVALID_UTF8").await;
        }
    }

    async fn a_message_that_is_too_big_closes_with_1009_by_its_header_alone(over) {
        let server = probe(over).await;
        let half = frame(TEXT_PART, &[b' '; 60_000]);
        for (what, bytes) in [
            ("one byte too many", header(TEXT, 100_001)),
            ("2^63 - 1", header(TEXT, (1 << 63) - 1)),
            ("a binary one", header(BINARY, 100_001)),
            ("the sum of fragments", [half.clone(), header(MORE, 40_001)].concat()),
            ("the sum overflows", [half, header(MORE, (1 << 63) - 1)].concat()),
        ] {
            closes(&server, what, &bytes, 1009, "MESSAGE_TOO_BIG").await;
        }
    }

    async fn a_message_of_the_largest_size_is_taken(over) {
        let server = probe(over).await;
        let mut raw = Raw::open(&server, "/probe/ada").await;
        let mut text = r#"{"type":"ping"}"#.to_owned();
        text.push_str(&" ".repeat(100_000 - text.len()));
        raw.text(&text).await;
        assert_eq!(raw.json().await["type"], "pong");
    }

    async fn too_many_fragments_close_with_1008(over) {
        let server = probe(over).await;
        let mut bytes = frame(TEXT_PART, &[]);
        for _ in 0..16_400 {
            bytes.extend(frame(MORE, &[]));
        }
        let mut raw = Raw::open(&server, "/probe/ada").await;
        raw.try_send(&bytes).await;
        assert_eq!(raw.closed().await.0, 1008);
    }

    async fn a_binary_frame_closes_with_1003(over) {
        let server = probe(over).await;
        for (what, bytes) in [
            ("whole", frame(BINARY, b"{\"type\":\"ping\"}")),
            ("empty", frame(BINARY, b"")),
            ("no UTF-8", frame(BINARY, b"\xFF\xFE")),
            ("in fragments", [frame(0x02, b"{"), frame(LAST, b"}")].concat()),
        ] {
            let mut raw = Raw::open(&server, "/probe/ada").await;
            raw.send(&bytes).await;
            assert_eq!(raw.closed().await.0, 1003, "{what}");
            assert!(raw.ends().await, "{what}");
        }
    }

    async fn messages_before_a_violation_are_answered(over) {
        let server = probe(over).await;
        let mut raw = Raw::open(&server, "/probe/ada").await;
        let good = frame(TEXT, br#"{"type":"echo","ref":1,"data":{"text":"a"}}"#);
        let after = frame(TEXT, br#"{"type":"echo","ref":2,"data":{"text":"a"}}"#);
        raw.send(&[good, vec![TEXT, 0], after].concat()).await;
        assert_eq!(raw.json().await, json!({ "type": "reply", "ref": 1, "data": { "text": "a" } }));
        assert_eq!(raw.frame().await.expect("a close frame").closed().0, 1002);
        assert!(raw.ends().await);
    }

    async fn a_violation_leaves_nothing_behind(over) {
        let server = probe(over).await;
        let mut raw = Raw::open(&server, "/probe/ada").await;
        raw.send(&[TEXT, 0]).await;
        raw.closed().await;
        drop(raw);
        until("gone", async || server.manager.stats().connections == 0).await;
        assert!(!server.manager.is_online("ada").await.expect("an answer"));
    }

    async fn the_close_frame_arrives_while_the_client_keeps_sending(over) {
        let server = probe(over).await;
        let mut raw = Raw::open(&server, "/probe/ada").await;
        let more = frame(TEXT, br#"{"type":"echo","data":{"text":"more"}}"#).repeat(20_000);
        raw.try_send(&[vec![TEXT, 0], more].concat()).await;
        assert_eq!(raw.closed().await.0, 1002);
    }
}
