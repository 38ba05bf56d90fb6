//! Any input is read or refused, and both codecs agree.
#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use proptest::prelude::*;
use proptest::sample::Index;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use super::*;
use crate::message::codec::tests::values;
use crate::message::codec::token::{Token, whole};
use crate::message::codec::{MAX_TYPE, decode_json, packed};

fn read(text: &str) -> Result<Envelope<'_>, Error> {
    Envelope::parse(Input::Text(text))
}

/// A position in a text, how many characters are removed there, and the text that replaces them.
type Damage = (Index, usize, &'static str);

fn damages() -> impl Strategy<Value = Vec<Damage>> {
    const PARTS: &[&str] = &[
        "",
        "\"",
        "\\",
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "-",
        "0",
        "1e999",
        ".",
        "e",
        "null",
        "true",
        " ",
        "\n",
        "\0",
        "é",
        "\u{feff}",
        "\\ud800",
        "\\u00",
        "\\x",
        "\"ref\":1,",
        "\"type\":\"b\",",
        "\"data\":{},",
        "18446744073709551616",
        "[[[[",
        "/**/",
        "NaN",
    ];
    prop::collection::vec((any::<Index>(), 0..=3_usize, prop::sample::select(PARTS)), 0..4)
}

fn damaged(text: &str, damages: &[Damage]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (at, removed, put) in damages {
        let at = at.index(chars.len() + 1);
        let end = (at + removed).min(chars.len());
        chars.splice(at..end, put.chars());
    }
    chars.into_iter().collect()
}

/// Generates envelopes, valid and invalid ones.
fn envelopes() -> impl Strategy<Value = Value> {
    let message_type = prop_oneof![4 => "[a-z_.é\"\n]{0,66}".prop_map(Value::from), 1 => values()];
    let reference = prop_oneof![3 => any::<u64>().prop_map(Value::from), 1 => values()];
    (message_type, prop::option::of(values()), prop::option::of(reference)).prop_map(
        |(message_type, data, reference)| {
            let mut envelope = Map::new();
            envelope.insert("type".to_owned(), message_type);
            envelope.extend(data.map(|data| ("data".to_owned(), data)));
            envelope.extend(reference.map(|reference| ("ref".to_owned(), reference)));
            Value::Object(envelope)
        },
    )
}

/// Returns the meaning of a text, read as generic JSON; `None` when it is no envelope.
fn expected(text: &str) -> Option<(String, Value, Option<u64>)> {
    let value: Value = serde_json::from_str(text).ok()?;
    let object = value.as_object()?;
    let message_type = object.get("type")?.as_str()?;
    let reference = match object.get("ref") {
        None | Some(Value::Null) => None,
        Some(reference) => match (reference.as_u64(), reference.as_f64().and_then(whole)) {
            (Some(number), _) | (None, Some(Token::Unsigned(number))) => Some(number),
            _ => return None,
        },
    };
    let data = object.get("data").filter(|data| !data.is_null()).cloned().unwrap_or_else(|| json!({}));
    (message_type.len() <= MAX_TYPE).then(|| (message_type.to_owned(), data, reference))
}

#[test]
fn malformed_json_is_refused_wherever_it_stands() {
    for value in [
        "01",
        "-01",
        "+1",
        "1.",
        ".5",
        "-",
        "1e",
        "1e+",
        "0x10",
        "1_0",
        "NaN",
        "Infinity",
        "nul",
        "True",
        "'a'",
        "\"\n\"",
        "\"\0\"",
        "\"\u{1f}\"",
        r#""\x41""#,
        r#""\u12""#,
        r#""\uzzzz""#,
        r#""\"#,
        "\"a",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "[1",
        "{",
        "1 2",
        "/**/1",
        "\u{feff}1",
        "\u{a0}1",
        "\u{c}1",
    ] {
        for text in [
            format!(r#"{{"type":"a","data":{value}}}"#),
            format!(r#"{{"type":"a","data":{{"unknown":[{value}]}}}}"#),
            format!(r#"{{"unknown":{value},"type":"a"}}"#),
        ] {
            assert_eq!(read(&text).unwrap_err().code(), "INVALID_JSON", "{text:?}");
        }
    }
    for behind in ["x", "{}", ",", "\0", "//"] {
        let text = format!(r#"{{"type":"a"}}{behind}"#);
        assert_eq!(read(&text).unwrap_err().code(), "INVALID_JSON", "{text:?}");
    }
}

#[test]
fn numbers_keep_their_value() {
    for number in [u64::MAX, u64::MAX - 1, (1 << 53) + 1] {
        assert_eq!(decode_json::<u64>(&number.to_string()).unwrap(), number);
    }
    assert_eq!(decode_json::<i64>("-9223372036854775808").unwrap(), i64::MIN);
    for text in ["18446744073709551616", "-1", "1.0", "1e3"] {
        assert!(decode_json::<u64>(text).is_err(), "{text}");
    }
    for (text, number) in [
        ("0.1", 0.1),
        ("9007199254740993", 9_007_199_254_740_992.0),
        ("2.2250738585072011e-308", 2.225_073_858_507_201e-308),
        ("5e-324", 5e-324),
        ("1e-400", 0.0),
        ("123456789012345678901234567890", 1.234_567_890_123_456_8e29),
    ] {
        assert_eq!(decode_json::<f64>(text).unwrap().to_bits(), f64::to_bits(number), "{text}");
    }
    for text in ["-0", "-0.0"] {
        assert!(decode_json::<f64>(text).unwrap().is_sign_negative(), "{text}");
    }
    assert!(decode_json::<f64>("1e400").is_err());
}

#[test]
fn json_without_a_value_is_refused_when_it_is_decoded() {
    for data in [r#""\ud800""#, r#""\ude00\ud83d""#, r#""\ud83dx""#] {
        let text = format!(r#"{{"type":"a","data":{data}}}"#);
        let span = read(&text).unwrap().data;
        assert_eq!(span.as_bytes(), data.as_bytes());
        assert_eq!(span.read::<String>(), None, "{data}");
    }
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(decode_json::<Value>(&nested(127)).is_ok());
    for levels in [128, 129, 1 << 20] {
        assert!(decode_json::<Value>(&nested(levels)).is_err(), "{levels}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_json_envelope_is_read_as_written_or_refused(envelope in envelopes(), damages in damages()) {
        let text = damaged(&envelope.to_string(), &damages);
        match read(&text) {
            Ok(envelope) => {
                let data = envelope.data.read::<Value>();
                // A value that cannot be represented, such as half a surrogate pair, is refused when the data are
                // decoded.
                if let Some((message_type, value, reference)) = expected(&text) {
                    prop_assert_eq!((&*envelope.message_type, envelope.reference), (&*message_type, reference));
                    prop_assert_eq!(data, Some(value));
                }
            }
            Err(error) => {
                let is_json = serde_json::from_str::<IgnoredAny>(&text).is_ok();
                prop_assert_eq!(error.code(), if is_json { "INVALID_ENVELOPE" } else { "INVALID_JSON" });
                // `Value` takes the last of two equal keys.
                let twice = error.message().contains("twice");
                prop_assert!(twice || expected(&text).is_none(), "{} refused: {}", text, error.message());
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in r#"[\[\]{}",:\\0-9a-z \n-]{0,60}|\PC{0,60}"#) {
        if let Ok(envelope) = read(&text) {
            let _ = envelope.data.read::<Value>();
        }
    }

    #[test]
    fn an_envelope_means_the_same_in_both_codecs(envelope in envelopes()) {
        let text = envelope.to_string();
        let frame = packed(text.as_bytes()).unwrap();
        match (read(&text), Envelope::parse(Input::Binary(frame.payload_bytes()))) {
            (Ok(json), Ok(binary)) => {
                prop_assert_eq!(&json.message_type, &binary.message_type);
                prop_assert_eq!(json.reference, binary.reference);
                prop_assert_eq!(json.data.read::<Value>(), binary.data.read::<Value>());
            }
            (json, binary) => {
                let code = |result: Result<Envelope<'_>, Error>| result.map_err(|error| error.code().to_owned()).err();
                prop_assert_eq!(code(json), code(binary), "{}", text);
            }
        }
    }

    #[test]
    fn a_damaged_messagepack_envelope_is_read_or_refused(
        envelope in envelopes(),
        damage in prop::collection::vec((any::<Index>(), any::<u8>()), 0..4),
        keep in any::<Index>(),
    ) {
        let frame = packed(envelope.to_string().as_bytes()).unwrap();
        let mut bytes = frame.payload_bytes().to_vec();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes.get_mut(at).unwrap().clone_from(&byte);
        }
        if keep.index(4) == 0 {
            bytes.truncate(keep.index(bytes.len() + 1));
        }
        match Envelope::parse(Input::Binary(&bytes)) {
            Ok(envelope) => {
                let _ = envelope.data.read::<Value>();
            }
            Err(error) => prop_assert_eq!(error.code(), "INVALID_ENVELOPE"),
        }
    }
}
