//! Data that breaks a shape or a rule.

use serde_json::{Value, json};
use tests::client::Client;

use crate::probe::probe;

/// Returns the field and the rule of every detail, sorted.
async fn broken(client: &mut Client, kind: &str, data: Value) -> Vec<(String, String)> {
    let error = client.ask(kind, data.clone()).await;
    assert_eq!(error["type"], "error", "{data}: {error}");
    assert_eq!(error["data"]["code"], "VALIDATION_FAILED", "{data}: {error}");
    assert_eq!(error["data"]["category"], "validation");
    assert_eq!(error["data"]["retryable"], false);
    assert_eq!(error["data"]["message_type"], kind);
    let details = error["data"]["details"]["errors"].as_array().cloned().unwrap_or_default();
    let mut found: Vec<_> = details
        .iter()
        .map(|detail| {
            let message = detail["message"].as_str().unwrap_or_default();
            assert!(!message.is_empty() && message.len() < 400, "{detail}");
            (detail["field"].as_str().expect("a field").to_owned(), detail["rule"].as_str().expect("a rule").to_owned())
        })
        .collect();
    found.sort();
    found
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(field, rule)| ((*field).to_owned(), (*rule).to_owned())).collect()
}

over_every_transport! {
    async fn every_broken_rule_is_listed_with_its_field(over) {
        let server = probe(over).await;
        let mut client = Client::connect(&server, "/probe/ada").await;
        for (data, expected) in [
            (json!({ "name": "abcdef", "count": 0 }), pairs(&[("count", "range"), ("name", "length")])),
            (json!({ "name": "é", "count": 10 }), pairs(&[("name", "length")])),
            (
                json!({ "name": "abc", "count": 11, "lines": [{ "text": "abc" }, { "text": "abcd" }] }),
                pairs(&[("count", "range"), ("lines[1].text", "length")]),
            ),
        ] {
            assert_eq!(broken(&mut client, "order", data.clone()).await, expected, "{data}");
        }
        let answer = client.ask("order", json!({ "name": "ééééé", "count": 10, "lines": [{ "text": "a" }] })).await;
        assert_eq!(answer["data"]["text"], "10 ééééé a", "lengths are characters");
    }

    async fn missing_fields_and_wrong_types_are_listed_together(over) {
        let server = probe(over).await;
        let mut client = Client::connect(&server, "/probe/ada").await;
        for (data, expected) in [
            (json!({}), pairs(&[("count", "required"), ("name", "required")])),
            (json!(null), pairs(&[("count", "required"), ("name", "required")])),
            (json!({ "name": 5, "count": "1" }), pairs(&[("count", "type"), ("name", "type")])),
            (json!({ "name": null, "count": 1 }), pairs(&[("name", "type")])),
            (json!({ "name": "abc", "count": 1.5 }), pairs(&[("count", "type")])),
            (json!({ "name": "abc", "count": true, "lines": {} }), pairs(&[("count", "type"), ("lines", "type")])),
            (
                json!({ "name": "abc", "count": 1, "lines": [{}, 5, { "text": "a" }] }),
                pairs(&[("lines[0].text", "required"), ("lines[1]", "type")]),
            ),
            (json!([]), pairs(&[("", "type")])),
            (json!("text"), pairs(&[("", "type")])),
            (json!(7), pairs(&[("", "type")])),
            (json!(false), pairs(&[("", "type")])),
        ] {
            assert_eq!(broken(&mut client, "order", data.clone()).await, expected, "{data}");
        }
    }

    async fn a_number_out_of_its_type_is_an_error(over) {
        let server = probe(over).await;
        let mut client = Client::connect(&server, "/probe/ada").await;
        for count in ["-1", "4294967296", "1e400", "123456789012345678901234567890"] {
            client.text(&format!(r#"{{"type":"order","ref":1,"data":{{"name":"abc","count":{count}}}}}"#)).await;
            let error = client.next().await;
            assert_eq!(error["type"], "error", "{count}: {error}");
            assert_eq!(error["data"]["category"], "validation", "{count}: {error}");
        }
        assert_eq!(client.ask("heard", json!({})).await["data"]["text"], "ada None 0");
    }

    async fn unknown_fields_are_refused_only_where_the_message_says_so(over) {
        let server = probe(over).await;
        let mut client = Client::connect(&server, "/probe/ada").await;
        assert_eq!(client.ask("strict", json!({ "known": 3 })).await["data"]["text"], "3");
        assert_eq!(broken(&mut client, "strict", json!({ "other": 3 })).await, pairs(&[("other", "unknown_field")]));
        assert_eq!(client.ask("echo", json!({ "other": 3, "text": "a" })).await["data"]["text"], "a");
        let error = client.ask("order", json!({ "name": "abc", "count": 1, "lines": "x".repeat(50_000) })).await;
        assert!(error.to_string().len() < 2_000, "a long value is cut");
    }

    async fn a_key_that_is_no_truth_value_is_an_error(over) {
        let server = probe(over).await;
        let mut client = Client::connect(&server, "/probe/ada").await;
        let told = client.ask("flags", json!({ "of": { "true": 1, "false": 2 } })).await;
        assert_eq!(told["data"]["text"], "Some(1)");
        for key in ["é", "яблоко", "𝄞", "", "t", "truе", "maybe"] {
            assert_eq!(broken(&mut client, "flags", json!({ "of": { key: 1 } })).await.len(), 1, "{key}");
        }
    }

    async fn a_repeated_field_is_an_error(over) {
        let server = probe(over).await;
        let mut client = Client::connect(&server, "/probe/ada").await;
        client.text(r#"{"type":"order","data":{"name":"abc","name":"abd","count":1}}"#).await;
        let error = client.next().await;
        assert_eq!(error["data"]["details"]["errors"][0]["rule"], "duplicate_field", "{error}");
    }

    async fn a_message_without_data_takes_any_object(over) {
        let server = probe(over).await;
        let mut client = Client::connect(&server, "/probe/ada").await;
        assert_eq!(client.ask("unit", json!({ "more": 1 })).await["type"], "reply");
        assert_eq!(client.ask("nothing", json!({ "more": 1 })).await["data"]["text"], "nothing");
    }
}
