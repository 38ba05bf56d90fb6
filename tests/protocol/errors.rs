//! Error objects: every field.

use serde_json::{Value, json};
use tests::client::Client;

use crate::probe::probe;

async fn error_for(client: &mut Client, text: &str) -> Value {
    client.text(text).await;
    client.next().await
}

/// Checks the fields that differ each time, and removes them.
fn constant(mut error: Value) -> Value {
    let data = error["data"].as_object_mut().expect("an object");
    let id = data.remove("error_id").expect("an error id");
    let id = id.as_str().expect("a text");
    let groups: Vec<_> = id.split('-').map(str::len).collect();
    assert_eq!(groups, [8, 4, 4, 4, 12], "{id} is no UUID");
    let timestamp = data.remove("timestamp").expect("a timestamp");
    let timestamp = timestamp.as_str().expect("a text");
    assert!(timestamp.parse::<agentcore::Timestamp>().is_ok(), "{timestamp}");
    assert!(timestamp.len() == 24 && timestamp.ends_with('Z'), "{timestamp}");
    error
}

over_every_transport! {
    async fn an_error_has_all_its_fields_and_no_others(over) {
        let server = probe(over).await;
        let mut client = Client::connect(&server, "/probe/ada").await;
        let error = constant(error_for(&mut client, r#"{"type":"forbidden","ref":3}"#).await);
        assert_eq!(
            error,
            json!({ "type": "error", "ref": 3, "data": {
                "code": "FORBIDDEN", "category": "authorization", "severity": "low", "message": "not for you",
                "retryable": false, "message_type": "forbidden", "details": {},
            }})
        );
        let error = constant(error_for(&mut client, r#"{"type":"own_error"}"#).await);
        assert_eq!(
            error,
            json!({ "type": "error", "data": {
                "code": "ROOM_IS_FULL", "category": "connection", "severity": "medium", "message": "no seat is free",
                "retryable": true, "retry_after_ms": 1501, "message_type": "own_error",
                "details": { "errors": [{ "field": "room", "rule": "capacity", "message": "has no seat" }] },
            }})
        );
    }

    async fn an_unknown_type_is_an_error_with_its_ref(over) {
        let server = probe(over).await;
        let mut client = Client::connect(&server, "/probe/ada").await;
        let error = constant(error_for(&mut client, r#"{"type":"no_such","ref":8}"#).await);
        assert_eq!(error["ref"], 8);
        assert_eq!(error["data"]["code"], "UNKNOWN_MESSAGE_TYPE");
        assert_eq!(error["data"]["category"], "validation");
        assert_eq!(error["data"]["retryable"], false);
        assert_eq!(error["data"]["message_type"], "no_such");
        let error = error_for(&mut client, r#"{"type":"a\u001b[31m\n\u0085b","ref":8}"#).await;
        assert!(!error.to_string().contains("\\u001b"), "{error}");
        let message = error["data"]["message"].as_str().expect("a text");
        assert!(!message.chars().any(char::is_control), "{message:?}");
    }

    async fn a_client_sees_only_the_id_of_an_internal_error(over) {
        let server = probe(over).await;
        let mut client = Client::connect(&server, "/probe/ada").await;
        let error = error_for(&mut client, r#"{"type":"internal","ref":1}"#).await;
        assert_eq!(error["data"]["code"], "INTERNAL_ERROR");
        assert_eq!(error["data"]["severity"], "high");
        assert_eq!(error["data"]["retryable"], false);
        assert!(!error.to_string().contains("1234"), "{error}");
        assert_eq!(client.settle().await, Vec::<Value>::new(), "still open");
    }

    async fn two_errors_have_two_ids(over) {
        let server = probe(over).await;
        let mut client = Client::connect(&server, "/probe/ada").await;
        let first = error_for(&mut client, r#"{"type":"forbidden"}"#).await;
        let second = error_for(&mut client, r#"{"type":"forbidden"}"#).await;
        assert_ne!(first["data"]["error_id"], second["data"]["error_id"]);
    }

    async fn an_error_that_closes_is_sent_first_and_repeated_in_the_reason(over) {
        let server = probe(over).await;
        for (kind, code, error_code) in
            [("fatal", 4000, "FORBIDDEN"), ("unauthenticated", 4401, "UNAUTHENTICATED")]
        {
            let mut client = Client::connect(&server, "/probe/ada").await;
            client.text(&format!(r#"{{"type":"{kind}","ref":2}}"#)).await;
            let (before, closed) = client.closed().await;
            assert_eq!(before.len(), 1, "{before:?}");
            assert_eq!((&before[0]["type"], &before[0]["ref"]), (&json!("error"), &json!(2)));
            assert_eq!(closed.code, Some(code));
            assert_eq!(closed.json(), json!({ "code": error_code, "error_id": before[0]["data"]["error_id"] }));
            assert!(closed.reason.len() <= 123);
        }
    }
}
