//! The envelope: its forms, its `ref`, and ignored keys.

use serde_json::{Value, json};
use tests::client::Client;

use crate::probe::probe;

async fn answer_to(client: &mut Client, text: &str) -> Value {
    client.text(text).await;
    client.next().await
}

over_every_transport! {
    async fn absent_null_and_empty_data_mean_the_same(over) {
        let server = probe(over).await;
        let mut client = Client::connect(&server, "/probe/ada").await;
        for data in ["", r#","data":null"#, r#","data":{}"#, r#","data": { } "#, r#", "data" : null "#] {
            let text = format!(r#"{{"type":"nothing"{data},"ref":5}}"#);
            let answer = answer_to(&mut client, &text).await;
            assert_eq!(answer, json!({ "type": "reply", "ref": 5, "data": { "text": "nothing" } }), "{text}");
            let text = format!(r#"{{"type":"echo"{data},"ref":5}}"#);
            assert_eq!(answer_to(&mut client, &text).await["data"], json!({ "text": "" }), "{text}");
        }
    }

    async fn the_order_of_keys_and_white_space_do_not_matter(over) {
        let server = probe(over).await;
        let mut client = Client::connect(&server, "/probe/ada").await;
        for text in [
            r#"{"ref":1,"data":{"text":"a"},"type":"echo"}"#,
            "\n\t { \"data\" : {\r\n\"text\":\"a\"} , \"type\":\"echo\",\"ref\": 1 } \n",
        ] {
            let expected = json!({ "type": "reply", "ref": 1, "data": { "text": "a" } });
            assert_eq!(answer_to(&mut client, text).await, expected, "{text:?}");
        }
    }

    async fn a_type_may_have_escapes(over) {
        let server = probe(over).await;
        let mut client = Client::connect(&server, "/probe/ada").await;
        let answer = answer_to(&mut client, r#"{"type":"\u0065c\u0068o","\u0072ef":2,"d\u0061ta":{"text":"\ud83d\ude00"}}"#);
        assert_eq!(answer.await, json!({ "type": "reply", "ref": 2, "data": { "text": "😀" } }));
        let answer = answer_to(&mut client, r#"{"type":"p\u0069ng","ref":3}"#).await;
        assert_eq!(answer, json!({ "type": "pong", "ref": 3 }));
    }

    async fn unknown_keys_are_ignored(over) {
        let server = probe(over).await;
        let mut client = Client::connect(&server, "/probe/ada").await;
        let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
        for text in [
            r#"{"v":2,"type":"echo","trace":{"a":[1,{"b":null}]},"data":{"text":"a","more":{"x":1}},"ref":1}"#.to_owned(),
            format!(r#"{{"trace":{deep},"type":"echo","data":{{"text":"a","deep":{deep}}},"ref":1}}"#),
            r#"{"Type":"x","DATA":1,"type":"echo","data":{"text":"a"},"ref":1}"#.to_owned(),
        ] {
            let expected = json!({ "type": "reply", "ref": 1, "data": { "text": "a" } });
            assert_eq!(answer_to(&mut client, &text).await, expected, "{text:.80}");
        }
    }

    async fn a_ref_is_any_u64_or_null(over) {
        let server = probe(over).await;
        let mut client = Client::connect(&server, "/probe/ada").await;
        for reference in [0, 1, u64::from(u32::MAX) + 1, (1 << 53) + 1, u64::MAX] {
            let answer = answer_to(&mut client, &format!(r#"{{"type":"unit","ref":{reference}}}"#)).await;
            assert_eq!(answer, json!({ "type": "reply", "ref": reference, "data": null }));
        }
        for (reference, number) in [("7.0", 7_u64), ("1e3", 1000), ("-0.0", 0), ("9007199254740994.0", 9_007_199_254_740_994)] {
            let answer = answer_to(&mut client, &format!(r#"{{"type":"unit","ref":{reference}}}"#)).await;
            assert_eq!(answer, json!({ "type": "reply", "ref": number, "data": null }), "{reference}");
        }
        let answer = answer_to(&mut client, r#"{"type":"some","ref":null}"#).await;
        assert_eq!(answer, json!({ "type": "note", "data": { "text": "some" } }));
    }

    async fn a_ref_that_is_no_u64_makes_the_envelope_invalid(over) {
        let server = probe(over).await;
        let mut client = Client::connect(&server, "/probe/ada").await;
        for reference in ["-1", "1.5", "\"7\"", "{}", "[1]", "true", "18446744073709551616", "1e-1", "1e400", "-1.0"] {
            let answer = answer_to(&mut client, &format!(r#"{{"type":"echo","ref":{reference}}}"#)).await;
            assert_eq!(answer["data"]["code"], "INVALID_ENVELOPE", "{reference}: {answer}");
            assert_eq!(answer.get("ref"), None, "{reference}");
        }
        assert_eq!(client.ask("heard", json!({})).await["data"]["text"], "ada None 0");
    }

    async fn invalid_json_and_invalid_envelopes_have_different_codes(over) {
        let server = probe(over).await;
        let mut client = Client::connect(&server, "/probe/ada").await;
        let huge_type = format!(r#"{{"type":"{}"}}"#, "x".repeat(50_000));
        for (text, code) in [
            ("", "INVALID_JSON"),
            (" ", "INVALID_JSON"),
            ("{", "INVALID_JSON"),
            ("hello", "INVALID_JSON"),
            (r#"{"type":"echo"}}"#, "INVALID_JSON"),
            (r#"{"type":"echo"} {"type":"echo"}"#, "INVALID_JSON"),
            (r#"{"type":"echo",}"#, "INVALID_JSON"),
            (r#"{"type":"echo","data":{"text":"\ud800"}"#, "INVALID_JSON"),
            (r#"{"type":"echo","data":{x}}"#, "INVALID_JSON"),
            (r#"{"type":5,"data":"#, "INVALID_JSON"),
            ("\u{feff}{\"type\":\"echo\"}", "INVALID_JSON"),
            ("null", "INVALID_ENVELOPE"),
            ("[]", "INVALID_ENVELOPE"),
            ("7", "INVALID_ENVELOPE"),
            ("\"ping\"", "INVALID_ENVELOPE"),
            ("{}", "INVALID_ENVELOPE"),
            (r#"{"data":{}}"#, "INVALID_ENVELOPE"),
            (r#"{"type":null}"#, "INVALID_ENVELOPE"),
            (r#"{"type":{}}"#, "INVALID_ENVELOPE"),
            (r#"{"type":["echo"]}"#, "INVALID_ENVELOPE"),
            (r#"{"type":5}"#, "INVALID_ENVELOPE"),
            (r#"{"type":"echo","type":"echo"}"#, "INVALID_ENVELOPE"),
            (r#"{"type":"echo","data":{},"data":{}}"#, "INVALID_ENVELOPE"),
            (r#"{"type":"echo","ref":1,"ref":1}"#, "INVALID_ENVELOPE"),
            (r#"{"type":"echo","ref":null,"ref":1}"#, "INVALID_ENVELOPE"),
            (huge_type.as_str(), "INVALID_ENVELOPE"),
            (r#"{"type":""}"#, "UNKNOWN_MESSAGE_TYPE"),
            (r#"{"type":"Echo"}"#, "UNKNOWN_MESSAGE_TYPE"),
            (r#"{"type":"pong"}"#, "UNKNOWN_MESSAGE_TYPE"),
            (r#"{"type":"reply","ref":1}"#, "UNKNOWN_MESSAGE_TYPE"),
            (r#"{"type":"agentcore.welcome"}"#, "UNKNOWN_MESSAGE_TYPE"),
        ] {
            let answer = answer_to(&mut client, text).await;
            assert_eq!(answer["type"], "error", "{text:.60}");
            assert_eq!(answer["data"]["code"], code, "{text:.60}: {answer}");
            let message = answer["data"]["message"].as_str().unwrap_or_default();
            assert!((1..400).contains(&message.len()), "{text:.60}: {message}");
            assert!(!message.chars().any(char::is_control), "{text:.60}: {message:?}");
        }
        assert_eq!(client.ask("heard", json!({})).await["data"]["text"], "ada None 0", "still open, nothing handled");
    }

    async fn five_thousand_nested_arrays_are_an_error_and_the_connection_stays(over) {
        let server = probe(over).await;
        let mut client = Client::connect(&server, "/probe/ada").await;
        let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
        let deep_object = format!("{}1{}", r#"{"a":"#.repeat(5000), "}".repeat(5000));
        for (text, code) in [
            (deep.clone(), "INVALID_ENVELOPE"),
            ("[".repeat(5000), "INVALID_JSON"),
            (format!(r#"{{"type":{deep}}}"#), "INVALID_ENVELOPE"),
            (format!(r#"{{"type":"echo","ref":{deep}}}"#), "INVALID_ENVELOPE"),
            (format!(r#"{{"type":"echo","data":{deep}}}"#), "VALIDATION_FAILED"),
            (format!(r#"{{"type":"echo","data":{{"text":{deep}}}}}"#), "VALIDATION_FAILED"),
            (format!(r#"{{"type":"order","data":{{"name":"abc","count":1,"extra":{deep}}}}}"#), "VALIDATION_FAILED"),
            (format!(r#"{{"type":"order","data":{{"name":"abc","count":1,"extra":{deep_object}}}}}"#), "VALIDATION_FAILED"),
            (format!(r#"{{"type":"order","data":{{"name":"abc","count":1,"lines":{deep}}}}}"#), "VALIDATION_FAILED"),
            (format!(r#"{{"type":"order","data":{deep_object}}}"#), "VALIDATION_FAILED"),
        ] {
            let answer = answer_to(&mut client, &text).await;
            assert_eq!(answer["data"]["code"], code, "{text:.60}: {answer}");
            assert!(answer.to_string().len() < 2000, "{text:.60}");
        }
        assert_eq!(client.ask("heard", json!({})).await["data"]["text"], "ada None 0");
    }
}
