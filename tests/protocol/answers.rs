//! Return values of handlers, and the replies that clients get.

use serde_json::{Value, json};
use tests::client::Client;
use tests::server::Server;
use tests::transport::Transport;

use crate::probe::probe;

async fn connected(over: Transport) -> (Server, Client) {
    let server = probe(over).await;
    let client = Client::connect(&server, "/probe/ada").await;
    (server, client)
}

/// Returns everything that arrives for one message.
async fn all(client: &mut Client, text: &str) -> Vec<Value> {
    client.text(text).await;
    client.settle().await
}

fn reply(reference: u64, data: Value) -> Value {
    json!({ "type": "reply", "ref": reference, "data": data })
}

fn note(text: &str) -> Value {
    json!({ "type": "note", "data": { "text": text } })
}

fn other_note(text: &str) -> Value {
    json!({ "type": "other_note", "data": { "text": text } })
}

over_every_transport! {
    async fn a_request_with_a_ref_gets_a_reply_whatever_is_returned(over) {
        let (_server, mut client) = connected(over).await;
        for (kind, data) in [
            ("unit", json!(null)),
            ("none", json!(null)),
            ("ok_unit", json!(null)),
            ("ok_none", json!(null)),
            ("some", json!({ "text": "some" })),
            ("ok", json!({ "text": "ok" })),
        ] {
            let answers = all(&mut client, &format!(r#"{{"type":"{kind}","ref":7}}"#)).await;
            assert_eq!(answers, [reply(7, data)], "{kind}");
        }
    }

    async fn without_a_ref_a_returned_message_has_its_own_type(over) {
        let (_server, mut client) = connected(over).await;
        for (kind, answers) in [
            ("unit", vec![]),
            ("none", vec![]),
            ("ok_unit", vec![]),
            ("ok_none", vec![]),
            ("some", vec![note("some")]),
            ("ok", vec![note("ok")]),
            ("nothing", vec![note("nothing")]),
        ] {
            assert_eq!(all(&mut client, &format!(r#"{{"type":"{kind}"}}"#)).await, answers, "{kind}");
        }
        let answers = all(&mut client, r#"{"type":"echo","data":{"text":"x"}}"#).await;
        assert_eq!(answers, [json!({ "type": "echo", "data": { "text": "x" } })]);
    }

    async fn messages_of_a_handler_arrive_in_order_and_the_reply_last(over) {
        let (_server, mut client) = connected(over).await;
        let answers = all(&mut client, r#"{"type":"notes_then_answer","ref":9}"#).await;
        assert_eq!(answers, [note("first"), note("second"), reply(9, json!({ "text": "last" }))]);
        let answers = all(&mut client, r#"{"type":"notes_then_answer"}"#).await;
        assert_eq!(answers, [note("first"), note("second"), other_note("last")]);
    }

    async fn an_answer_given_by_the_handler_comes_first_and_once(over) {
        let (_server, mut client) = connected(over).await;
        let answers = all(&mut client, r#"{"type":"answer_then_note","ref":9}"#).await;
        assert_eq!(answers, [reply(9, json!({ "text": "first" })), note("second")]);
        let answers = all(&mut client, r#"{"type":"answer_then_note"}"#).await;
        assert_eq!(answers, [other_note("first"), note("second")]);
        let answers = all(&mut client, r#"{"type":"answer_twice","ref":1}"#).await;
        assert_eq!(answers, [reply(1, json!({ "text": "once" })), other_note("INTERNAL_ERROR")]);
    }

    async fn a_message_returned_after_an_answer_is_an_error(over) {
        let (_server, mut client) = connected(over).await;
        let answers = all(&mut client, r#"{"type":"answer_and_return","ref":4}"#).await;
        assert_eq!(answers.len(), 2, "{answers:?}");
        assert_eq!(answers[0], reply(4, json!({ "text": "answered" })));
        assert_eq!(answers[1]["data"]["code"], "INTERNAL_ERROR");
        let answers = all(&mut client, r#"{"type":"answer_and_fail","ref":5}"#).await;
        assert_eq!(answers[0], reply(5, json!({ "text": "answered" })));
        assert_eq!(answers[1]["data"]["code"], "FORBIDDEN");
        assert_eq!(answers.len(), 2, "{answers:?}");
    }

    async fn a_request_that_failed_is_not_answered_later(over) {
        let (_server, mut client) = connected(over).await;
        client.text(r#"{"type":"answer_after_failure","ref":4}"#).await;
        let failed = client.next().await;
        assert_eq!((&failed["data"]["code"], &failed["ref"]), (&json!("FORBIDDEN"), &json!(4)));
        assert_eq!(client.next().await, other_note("INTERNAL_ERROR"));
        assert_eq!(client.settle().await, Vec::<Value>::new());
    }

    async fn a_ping_of_the_application_is_answered_with_its_ref(over) {
        let (_server, mut client) = connected(over).await;
        for (ping, pong) in [
            (r#"{"type":"ping"}"#, json!({ "type": "pong" })),
            (r#"{"type":"ping","ref":0}"#, json!({ "type": "pong", "ref": 0 })),
            (r#"{"type":"ping","data":{"x":1},"ref":18446744073709551615}"#, json!({ "type": "pong", "ref": u64::MAX })),
        ] {
            client.text(ping).await;
            assert_eq!(client.next().await, pong, "{ping}");
        }
    }

    async fn pipelined_requests_are_answered_in_order(over) {
        let (_server, mut client) = connected(over).await;
        for reference in 0..500 {
            client.text(&format!(r#"{{"type":"echo","data":{{"text":"{reference}"}},"ref":{reference}}}"#)).await;
        }
        for reference in 0..500 {
            assert_eq!(client.next().await, reply(reference, json!({ "text": reference.to_string() })));
        }
    }
}
