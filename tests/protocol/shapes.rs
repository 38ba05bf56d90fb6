//! Data of every shape in both codecs: numbers, enums, flattened fields, and values that only one codec can write.

use std::collections::BTreeMap;

use agentcore::prelude::*;
use serde_json::{Value, json};
use tests::client::Client;
use tests::server::{Server, settings};
use tokio_tungstenite::tungstenite::Message;

#[message]
#[serde(rename_all = "lowercase")]
enum Color {
    Red,
    Rgb(u8, u8, u8),
}

#[message]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Event {
    Moved { x: i32, by: UserId },
    Said { text: String },
}

#[message]
#[serde(untagged)]
enum Either {
    Number(u32),
    Text { text: String },
}

#[message("shape")]
#[derive(Default)]
#[serde(default)]
struct Shape {
    small: Option<u8>,
    large: Option<u64>,
    signed: Option<i64>,
    #[serde(skip_serializing)]
    huge: Option<u128>,
    float: Option<f64>,
    list: Vec<u32>,
    #[serde(skip_serializing)]
    by_number: BTreeMap<u32, i16>,
    color: Option<Color>,
    event: Option<Event>,
    either: Option<Either>,
    text: Option<String>,
    bytes: Option<Vec<u8>>,
    time: Option<Timestamp>,
    free: Option<Value>,
}

#[message("flat")]
struct Flat {
    id: u8,
    #[serde(flatten)]
    event: Event,
}

#[message("maybe_flat")]
struct MaybeFlat {
    id: u8,
    #[serde(flatten)]
    event: Option<Event>,
}

#[message("closed")]
#[serde(deny_unknown_fields)]
struct Closed {
    name: String,
    inner: Option<Box<Closed>>,
}

#[consumer(path = "/shapes")]
struct Shapes;

#[consumer]
impl Shapes {
    #[on("shape")]
    async fn shape(&mut self, message: Shape) -> Shape {
        let signed = message.by_number.get(&7).map(|number| i64::from(*number)).or(message.signed);
        let large = message.huge.and_then(|number| u64::try_from(number).ok()).or(message.large);
        Shape { signed, large, ..message }
    }

    #[on("flat")]
    async fn flat(&mut self, message: Flat) -> Flat {
        message
    }

    #[on("maybe_flat")]
    async fn maybe_flat(&mut self, message: MaybeFlat) -> MaybeFlat {
        message
    }

    #[on("closed")]
    async fn closed(&mut self, message: Closed) -> Closed {
        message
    }
}

/// A client of each codec.
struct Clients {
    json: Client,
    packed: Client,
}

impl Clients {
    async fn connect() -> Self {
        let server = Server::start(AgentCore::new(settings()).consumer::<Shapes>()).await;
        let json = Client::connect(&server, "/shapes").await;
        let mut packed = Client::offer(&server, "/shapes", &["agentcore.v1.msgpack"]).await.expect("a connection");
        packed.message().await.expect("a welcome");
        Self { json, packed }
    }

    async fn ask_json(&mut self, kind: &str, data: &str) -> Value {
        self.json.text(&format!(r#"{{"type":"{kind}","ref":7,"data":{data}}}"#)).await;
        self.json.next().await
    }

    async fn ask_packed(&mut self, kind: &str, data: &[u8]) -> Value {
        let envelope = [b"\x83\xa3ref\x07\xa4type", packed(&json!(kind)).as_slice(), b"\xa4data", data].concat();
        self.packed.send(Message::binary(envelope)).await;
        match self.packed.message().await {
            Some(Message::Binary(bytes)) => rmp_serde::from_slice(&bytes).expect("MessagePack"),
            other => panic!("{other:?} instead of a binary frame"),
        }
    }

    /// Sends the same data in both codecs, and returns the answer, which must be the same too.
    async fn ask(&mut self, kind: &str, data: &str) -> Value {
        let answer = self.ask_json(kind, data).await;
        let value: Value = serde_json::from_str(data).expect("JSON");
        let other = self.ask_packed(kind, &packed(&value)).await;
        assert_eq!((&answer["type"], broken(&answer)), (&other["type"], broken(&other)), "{data}");
        if answer["type"] == "reply" {
            assert_eq!(answer["data"], other["data"], "{data}");
        }
        answer
    }
}

fn packed(value: &Value) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("MessagePack")
}

/// Returns the field and the rule of each mistake, such as `a.b[2] type`, sorted.
fn broken(answer: &Value) -> Vec<String> {
    let details = answer["data"]["details"]["errors"].as_array().cloned().unwrap_or_default();
    let name = |detail: &Value| {
        format!("{} {}", detail["field"].as_str().unwrap_or("?"), detail["rule"].as_str().unwrap_or("?"))
    };
    let mut found: Vec<String> = details.iter().map(name).collect();
    found.sort();
    found
}

#[tokio::test]
async fn a_whole_number_is_taken_however_it_is_written() {
    let mut clients = Clients::connect().await;
    for (data, field, value) in [
        (r#"{"small":50.0}"#, "/small", json!(50)),
        (r#"{"small":5e1}"#, "/small", json!(50)),
        (r#"{"small":-0.0}"#, "/small", json!(0)),
        (r#"{"large":4294967296.0}"#, "/large", json!(4_294_967_296_u64)),
        (r#"{"large":1e19}"#, "/large", json!(10_000_000_000_000_000_000_u64)),
        (r#"{"signed":-3.00}"#, "/signed", json!(-3)),
        (r#"{"huge":7.0}"#, "/large", json!(7)),
        (r#"{"list":[1,2.0]}"#, "/list", json!([1, 2])),
        (r#"{"by_number":{"7":-1.0}}"#, "/signed", json!(-1)),
        (r#"{"color":{"rgb":[1.0,2.0,3.0]}}"#, "/color/rgb", json!([1, 2, 3])),
        (r#"{"event":{"kind":"moved","x":4.0,"by":"ada"}}"#, "/event/x", json!(4)),
        (r#"{"either":9.0}"#, "/either", json!(9)),
        (r#"{"small":1.0,"float":2.5}"#, "/float", json!(2.5)),
        (r#"{"small":1.0,"float":-0.0}"#, "/float", json!(-0.0)),
    ] {
        let answer = clients.ask("shape", data).await;
        assert_eq!(answer["data"].pointer(field), Some(&value), "{data}: {answer}");
    }
    let answer = clients.ask("flat", r#"{"id":1.0,"kind":"moved","x":2.0,"by":"ada"}"#).await;
    assert_eq!(answer["data"], json!({ "id": 1, "kind": "moved", "x": 2, "by": "ada" }));
    for (data, mistake, but) in [
        (r#"{"small":1.5}"#, "small type", "not 1.5"),
        (r#"{"small":300.0}"#, "small value", "300"),
        (r#"{"small":-1.0}"#, "small value", "-1"),
        (r#"{"event":{"kind":"moved","x":0.5,"by":"ada"}}"#, "event.x type", "not 0.5"),
    ] {
        let answer = clients.ask("shape", data).await;
        assert_eq!(broken(&answer), [mistake], "{data}");
        assert!(answer["data"]["message"].as_str().unwrap_or_default().contains(but), "{answer}");
    }
}

#[tokio::test]
async fn every_mistake_of_shape_is_found_at_its_path() {
    let mut clients = Clients::connect().await;
    for (kind, data, expected) in [
        (
            "shape",
            r#"{"small":"x","list":["a",1,null],"text":7}"#,
            &["list[0] type", "list[2] type", "small type", "text type"][..],
        ),
        ("shape", r#"{"color":"blue"}"#, &["color one_of"]),
        ("shape", r#"{"color":{"rgb":[1,2,"3"]}}"#, &["color.rgb[2] type"]),
        ("shape", r#"{"color":{"hsl":[]}}"#, &["color.hsl unknown_field", "color.rgb required"]),
        ("shape", r#"{"color":0}"#, &["color type"]),
        ("shape", r#"{"color":["red"]}"#, &["color type"]),
        ("shape", r#"{"color":["rgb",[1,2,3]]}"#, &["color type"]),
        ("shape", r#"{"event":{"kind":"moved","x":"a"}}"#, &["event.by required", "event.x type"]),
        ("shape", r#"{"event":{"x":1}}"#, &["event.kind required"]),
        ("shape", r#"{"event":{"kind":"flown"}}"#, &["event.kind one_of"]),
        ("shape", r#"{"either":{"text":1}}"#, &["either.text type"]),
        ("shape", r#"{"either":"x"}"#, &["either type"]),
        ("shape", r#"{"by_number":{"7":"a"}}"#, &["by_number.7 type"]),
        ("shape", r#"{"event":{"kind":"moved","x":1,"by":""}}"#, &["event value"]),
        ("flat", r#"{"id":"a","kind":"moved","x":"a","by":"b"}"#, &["id type", "x type"]),
        ("flat", r#"{"id":1}"#, &["kind required"]),
        ("flat", r#"{"id":"a","x":1}"#, &["id type", "kind required"]),
        ("maybe_flat", r#"{"id":"a"}"#, &["id type"]),
        (
            "closed",
            r#"{"name":1,"more":1,"inner":{"inner":{"name":"a","less":0}}}"#,
            &["inner.inner.less unknown_field", "inner.name required", "more unknown_field", "name type"],
        ),
    ] {
        assert_eq!(broken(&clients.ask(kind, data).await), expected, "{kind} {data}");
    }
    for data in [r#"{"name":"a","name":"b"}"#, r#"{"name":"a","inner":null,"inner":null}"#] {
        let found = broken(&clients.ask_json("closed", data).await);
        assert!(found[0].ends_with(" duplicate_field") && found.len() == 1, "{data}: {found:?}");
    }
}

#[tokio::test]
async fn json_without_a_value_is_refused_with_its_field_and_the_other_mistakes() {
    let mut clients = Clients::connect().await;
    for (data, expected) in [
        (r#"{"text":"ok \ud83d"}"#, &["text value"][..]),
        (r#"{"text":"\ud83d","list":[true],"small":"a"}"#, &["list[0] type", "small type", "text value"]),
        (r#"{"float":1e400}"#, &["float type"]),
        (r#"{"small":1e400,"text":1}"#, &["small type", "text type"]),
        (r#"{"free":{"a":[-1e400]}}"#, &["free.a[0] type"]),
        (r#"{"free":{"\udc00":1}}"#, &["free type"]),
        (r#"{"ignored":[1e400,"\ud83d"],"small":"a"}"#, &["small type"]),
    ] {
        let answer = clients.ask_json("shape", data).await;
        assert_eq!(broken(&answer), expected, "{data}: {answer}");
    }
    let answer = clients.ask_json("shape", r#"{"ignored":[1e400,"\ud83d"],"small":7.0}"#).await;
    assert_eq!(answer["data"]["small"], 7, "{answer}");
}

#[tokio::test]
async fn messagepack_without_json_is_refused_with_its_field() {
    let mut clients = Clients::connect().await;
    let nan = [&[0xcb][..], &f64::NAN.to_be_bytes()].concat();
    let infinity = [&[0xca][..], &f32::INFINITY.to_be_bytes()].concat();
    let (timestamp, binary, not_utf8) = (&b"\xd6\xff\0\0\0\0"[..], &b"\xc4\x02hi"[..], &b"\xa2\xff\xfe"[..]);
    for (field, value, rule) in [
        ("small", &nan[..], "type"),
        ("float", &nan, "type"),
        ("float", &infinity, "type"),
        ("free", &nan, "type"),
        ("text", timestamp, "type"),
        ("time", timestamp, "type"),
        ("free", timestamp, "type"),
        ("text", binary, "type"),
        ("text", not_utf8, "value"),
        ("free", not_utf8, "value"),
        ("by_number", b"\x81\x07\x01", "type"),
        ("event", b"\x81\x00\xa5moved", "type"),
        ("color", b"\x00", "type"),
        ("color", b"\x91\xa3red", "type"),
        ("color", b"\x81\x00\xc0", "type"),
    ] {
        let data = [b"\x81", packed(&json!(field)).as_slice(), value].concat();
        let answer = clients.ask_packed("shape", &data).await;
        assert_eq!(broken(&answer), [format!("{field} {rule}")], "{value:x?}: {answer}");
    }
    assert_eq!(broken(&clients.ask_packed("closed", b"\x81\x00\xa3ada").await), [" type"]);
    assert_eq!(broken(&clients.ask_packed("shape", b"\xc4\x01a").await), [" type"]);
    let answer = clients.ask_packed("shape", b"\x82\xa5bytes\xc4\x02hi\xa7ignored\xc7\x00\x05").await;
    assert_eq!(answer["data"]["bytes"], json!([104, 105]), "binary is a list of integers: {answer}");
}
