//! Both codecs on one server.

use serde_json::{Value, json};
use tests::client::Client;
use tests::raw::{BINARY, Raw, TEXT, frame};
use tests::server::Server;
use tokio_tungstenite::tungstenite::Message;

use crate::{connect, join, post, start};

/// A client that speaks MessagePack.
struct Packed(Client);

impl Packed {
    async fn connect(server: &Server, user: &str) -> Self {
        let offered = ["agentcore.v1.msgpack"];
        let client = Client::offer(server, &format!("/room/{user}"), &offered).await.expect("a connection");
        let mut packed = Self(client);
        assert_eq!(packed.next().await["type"], "agentcore.welcome");
        packed
    }

    async fn say(&mut self, message: Value) {
        self.0.send(Message::binary(rmp_serde::to_vec_named(&message).expect("MessagePack"))).await;
    }

    async fn next(&mut self) -> Value {
        match self.0.message().await {
            Some(Message::Binary(bytes)) => rmp_serde::from_slice(&bytes).expect("MessagePack"),
            other => panic!("{other:?} instead of a binary frame"),
        }
    }

    async fn ask(&mut self, kind: &str, data: Value) -> Value {
        self.say(json!({ "type": kind, "data": data, "ref": 7 })).await;
        loop {
            let answer = self.next().await;
            if answer["ref"] == 7 {
                return answer;
            }
        }
    }
}

#[tokio::test]
async fn both_codecs_meet_in_one_group() {
    let (server, ..) = start().await;
    let mut ada = Packed::connect(&server, "ada").await;
    let mut bob = connect(&server, "bob").await;
    let mut eve = Packed::connect(&server, "eve").await;
    assert_eq!(ada.ask("join", json!({ "group": "g" })).await["data"]["names"], json!(["true"]));
    assert_eq!(eve.ask("join", json!({ "group": "g" })).await["data"]["names"], json!(["true"]));
    join(&mut bob, "g").await;
    let text = json!({ "n": [1, -2, 2.5, u64::MAX, null, true], "s": "zażółć \u{0001} \"" });
    post(&mut bob, json!({ "group": "g", "text": text })).await;
    ada.say(json!({ "type": "post", "data": { "group": "g", "text": text } })).await;
    // A burst is joined into one chunk per codec.
    for number in 0..50 {
        bob.say("post", json!({ "group": "g", "text": number })).await;
    }
    let mut of_bob: Vec<Value> = Vec::new();
    while of_bob.len() < 52 {
        let message = bob.next().await;
        if message["type"] == "posted" {
            of_bob.push(message);
        }
    }
    for packed in [&mut ada, &mut eve] {
        let mut got = Vec::new();
        while got.len() < 52 {
            let message = packed.next().await;
            assert_eq!(message["type"], "posted");
            got.push(message);
        }
        assert_eq!(got.iter().filter(|message| message["data"]["text"] == text).count(), 2);
        let from = |list: &[Value], user: &str| {
            list.iter().filter(|message| message["data"]["from"] == user).cloned().collect::<Vec<_>>()
        };
        assert_eq!(from(&got, "bob"), from(&of_bob, "bob"), "the same messages in the same order");
        assert_eq!(from(&got, "ada"), from(&of_bob, "ada"));
    }
}

#[tokio::test]
async fn mistakes_are_explained_in_the_same_words() {
    let (server, ..) = start().await;
    let mut ada = Packed::connect(&server, "ada").await;
    let mut bob = connect(&server, "bob").await;
    for (kind, data) in [
        ("join", json!({})),
        ("join", json!({ "group": 5 })),
        ("join", json!([])),
        ("join", json!({ "group": "" })),
        ("nothing_like_that", json!({})),
        ("post", json!({ "group": ["a"], "except_self": "no" })),
    ] {
        let (packed, text) = (ada.ask(kind, data.clone()).await, bob.ask(kind, data.clone()).await);
        for field in ["code", "category", "message", "message_type", "details"] {
            assert_eq!(packed["data"][field], text["data"][field], "{kind} {data}");
        }
        assert_eq!(packed["type"], "error");
    }
    ada.say(json!({ "type": "ping", "ref": 7 })).await;
    assert_eq!(ada.next().await, json!({ "type": "pong", "ref": 7 }));
}

#[tokio::test]
async fn bytes_that_are_not_a_message_are_refused_and_the_connection_stays_open() {
    let (server, ..) = start().await;
    let mut ada = Packed::connect(&server, "ada").await;
    for bytes in [
        &b"\xc1"[..],
        b"",
        b"\x93\x01\x02\x03",
        b"\x81\xa4type\xa4join\x00",
        b"\x82\xa4type\xa2me\xa4data\xdd\xff\xff\xff\xff",
    ] {
        ada.0.send(Message::binary(bytes.to_vec())).await;
        let refused = ada.next().await;
        assert_eq!(
            (&refused["type"], &refused["data"]["code"]),
            (&json!("error"), &json!("INVALID_ENVELOPE")),
            "{bytes:?}"
        );
    }
    assert_eq!(ada.ask("me", json!({})).await["type"], "reply");
}

#[tokio::test]
async fn a_frame_of_the_other_codec_closes_with_1003() {
    let (server, ..) = start().await;
    for (protocol, first) in [("agentcore.v1.json", BINARY), ("agentcore.v1.msgpack", TEXT)] {
        let mut raw = Raw::reach(&server).await;
        let answer = raw.shake("/room/ada", &[("Sec-WebSocket-Protocol", protocol)]).await;
        assert_eq!((answer.status, answer.header("sec-websocket-protocol")), (101, Some(protocol)));
        raw.send(&frame(first, br#"{"type":"me"}"#)).await;
        assert_eq!(raw.closed().await.0, 1003, "{protocol}");
    }
}

#[tokio::test]
async fn a_message_whose_type_is_known_at_run_time_reaches_both_codecs() {
    let (server, ..) = start().await;
    let mut ada = Packed::connect(&server, "ada").await;
    let mut bob = connect(&server, "bob").await;
    let data = json!({ "n": [1, -2, 2.5, u64::MAX, null, true], "s": "zażółć \u{0001} \"" });
    let kind = format!("news.{}", 7);
    server.manager.everyone().except_user("eve").send_raw(&kind, &data).await.expect("it is sent");
    let wanted = json!({ "type": kind, "data": data });
    assert_eq!(ada.next().await, wanted);
    assert_eq!(bob.next().await, wanted);
}
