//! Valid frames: fragments, pings between them, every form of length.

use serde_json::{Value, json};
use tests::raw::{PING, PONG, Raw, TEXT, frame};

use crate::probe::probe;

const TEXT_PART: u8 = 0x01;
const MORE: u8 = 0x00;
const LAST: u8 = 0x80;

/// Returns the next frames: a pong may precede or follow a text that was requested at the same time.
async fn received(raw: &mut Raw, count: usize) -> (Vec<Vec<u8>>, Vec<Value>) {
    let (mut pongs, mut texts) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let frame = raw.frame().await.expect("a frame");
        match frame.first {
            PONG => pongs.push(frame.payload),
            _ => texts.push(frame.json()),
        }
    }
    (pongs, texts)
}

over_every_transport! {
    async fn a_message_may_come_in_fragments_with_pings_between(over) {
        let server = probe(over).await;
        let mut raw = Raw::open(&server, "/probe/ada").await;
        let message = r#"{"type":"echo","ref":1,"data":{"text":"héllo wörld"}}"#.as_bytes();
        let mut bytes = frame(TEXT_PART, &[]);
        for (number, byte) in message.iter().enumerate() {
            bytes.extend(frame(MORE, &[*byte]));
            if number == 10 {
                bytes.extend(frame(PING, b"between"));
            }
        }
        bytes.extend(frame(LAST, &[]));
        raw.send(&bytes).await;
        let (pongs, texts) = received(&mut raw, 2).await;
        assert_eq!(pongs, [b"between"]);
        assert_eq!(texts, [json!({ "type": "reply", "ref": 1, "data": { "text": "héllo wörld" } })]);
    }

    async fn a_frame_may_come_byte_by_byte(over) {
        let server = probe(over).await;
        let mut raw = Raw::open(&server, "/probe/ada").await;
        let bytes: Vec<u8> = [
            frame(TEXT, br#"{"type":"echo","ref":1,"data":{"text":"a"}}"#),
            frame(PING, b"p"),
            frame(TEXT, br#"{"type":"echo","ref":2,"data":{"text":"b"}}"#),
        ]
        .concat();
        for byte in bytes {
            raw.send(&[byte]).await;
        }
        let (pongs, texts) = received(&mut raw, 3).await;
        assert_eq!(pongs, [b"p"]);
        assert_eq!((&texts[0]["ref"], &texts[1]["ref"]), (&json!(1), &json!(2)));
    }

    async fn every_form_of_length_is_understood(over) {
        let server = probe(over).await;
        let mut raw = Raw::open(&server, "/probe/ada").await;
        let around = r#"{"type":"echo","ref":1,"data":{"text":""}}"#.len();
        for length in [around, 125, 126, 127, 65_535, 65_536, 100_000] {
            let text = "x".repeat(length - around);
            raw.text(&format!(r#"{{"type":"echo","ref":1,"data":{{"text":"{text}"}}}}"#)).await;
            assert_eq!(raw.json().await["data"]["text"], json!(text), "{length}");
        }
    }

    async fn a_pong_carries_the_payload_of_its_ping(over) {
        let server = probe(over).await;
        let mut raw = Raw::open(&server, "/probe/ada").await;
        for payload in [&b""[..], b"hello", &[0xFF; 125], &[0; 125]] {
            raw.send(&frame(PING, payload)).await;
            let pong = raw.frame().await.expect("a pong");
            assert_eq!((pong.first, pong.payload.as_slice()), (PONG, payload));
        }
        raw.send(&frame(PONG, b"not asked for")).await;
        raw.text(r#"{"type":"ping"}"#).await;
        assert_eq!(raw.json().await["type"], "pong");
    }

    async fn the_newest_of_many_pings_is_answered(over) {
        let server = probe(over).await;
        let mut raw = Raw::open(&server, "/probe/ada").await;
        let bytes: Vec<u8> = (0..10_000_u32).flat_map(|number| frame(PING, &number.to_be_bytes())).collect();
        raw.send(&bytes).await;
        let (mut pongs, mut last) = (0, None);
        while last != Some(9_999) {
            let pong = raw.frame().await.expect("a pong");
            assert_eq!(pong.first, PONG);
            let number = u32::from_be_bytes(pong.payload.try_into().expect("four bytes"));
            assert!(last < Some(number), "pongs are in order, each ping answered once");
            last = Some(number);
            pongs += 1;
        }
        assert!((1..=10_000).contains(&pongs));
    }

    async fn an_empty_text_is_a_message(over) {
        let server = probe(over).await;
        let mut raw = Raw::open(&server, "/probe/ada").await;
        raw.send(&frame(TEXT, &[])).await;
        assert_eq!(raw.json().await["data"]["code"], "INVALID_JSON");
        raw.send(&[frame(TEXT_PART, &[]), frame(LAST, &[])].concat()).await;
        assert_eq!(raw.json().await["data"]["code"], "INVALID_JSON");
    }

    async fn a_character_may_be_cut_between_fragments(over) {
        let server = probe(over).await;
        let mut raw = Raw::open(&server, "/probe/ada").await;
        let message = r#"{"type":"echo","ref":1,"data":{"text":"😀"}}"#.as_bytes();
        let at = message.iter().position(|byte| *byte == 0xF0).expect("a character of four bytes");
        for cut in 1..4 {
            raw.send(&frame(TEXT_PART, &message[..at + cut])).await;
            raw.send(&frame(LAST, &message[at + cut..])).await;
            assert_eq!(raw.json().await["data"]["text"], "😀");
        }
    }
}
